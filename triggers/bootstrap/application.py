"""The app of a process, and its end."""

import importlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType

import azure.functions as func

from config.settings import Settings
from core.ports.catalogue import CatalogueWriter
from triggers.apis.serving import AsgiApp, LazyApp, Mount
from triggers.bootstrap.parts import LOCK, part
from triggers.bootstrap.sweeping import Sweeping

VERSION = "0.1.0"


@dataclass(frozen=True)
class App(Sweeping):
    """Everything an entry point needs, each part made when it is first asked for."""

    @property
    def version(self) -> str:
        """Return this release's version."""
        return VERSION

    @part
    def apis(self) -> Mapping[str, func.AsgiMiddleware]:
        """Return the reading APIs by prefix; each is imported and built at its first request."""
        catalogue = self.settings.catalogue
        return {
            name: func.AsgiMiddleware(
                Mount(name, LazyApp(name, partial(self._make_api, name)), catalogue.public_url)
            )
            for name in catalogue.apis
        }

    def _make_api(self, name: str) -> AsgiApp:
        assembly = importlib.import_module("triggers.apis.assembly")
        made: AsgiApp = assembly.make_api(name, self)
        return made

    @contextmanager
    def catalogue_changes(self) -> Iterator[CatalogueWriter]:
        """Open a transaction of the catalogue alone."""
        with self.database.transaction() as connection:
            yield self.catalogue.within(connection)


_app: App | None = None


def app() -> App:
    """Return this process's app, made from the environment at the first call."""
    global _app  # noqa: PLW0603 - one app a process is what the host's model asks for
    with LOCK:
        if _app is None:
            _app = App(Settings())
        return _app


def drain_on_sigterm() -> None:
    """Let SIGTERM drain this process before it ends.

    Call in the main thread, at import: the platform gives a process seconds from the signal on. A
    host that takes the signal over later calls this handler and ends the process itself.
    """
    before = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        if callable(before):
            before(number, frame)
        threading.Thread(target=_drain_and_end, args=(handle, before), name="drain", daemon=True).start()

    signal.signal(signal.SIGTERM, handle)


def _drain_and_end(handle: object, before: object) -> None:
    if _app is not None:
        _app.drain()
    if before is signal.SIG_DFL and signal.getsignal(signal.SIGTERM) is handle:
        os._exit(128 + signal.SIGTERM)
