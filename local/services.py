"""The servers that make up a local system, in the order in which they depend on each other."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from local.accounts import Launch
from local.binaries import CHECKOUT
from local.environment import Addresses, application_environment
from local.ports import is_listening

# Names of the servers whose ports are picked.
PICKED = ("postgres", "azurite", "servicebus")


def nothing() -> None:
    """Do nothing; the default of a step that most servers do not have."""


@dataclass(frozen=True)
class Service:
    """One server: how it is started, known to be ready, and stopped.

    Args:
        name: Also the name of its log and its record.
        port: What it listens on.
        launch: Builds the command; called for every start.
        is_ready: Says whether it answers.
        environment: Its whole environment.
        prepare: Done before every start.
        provision: Done once, when it first answers.
        stop_signal: Asks it to finish what it does and end.
        grace: How long it may take for that.
        directory: Where it is started.
        needs_others: Whether it may start only when all before it are ready.
    """

    name: str
    port: int
    launch: Callable[[], Launch]
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    prepare: Callable[[], None] = nothing
    provision: Callable[[], None] = nothing
    stop_signal: signal.Signals = signal.SIGTERM
    grace: timedelta = timedelta(seconds=20)
    directory: Path = CHECKOUT
    needs_others: bool = False


@dataclass(frozen=True)
class System:
    """What one `make up` starts.

    Args:
        addresses: Where everything answers.
        app: Directory of the function app.
        workers: Processes of the Functions host.
    """

    addresses: Addresses
    app: Path = CHECKOUT
    workers: int = 2

    def services(self) -> list[Service]:
        """Return the servers, each after those that it needs."""
        return [self._postgres(), self._azurite(), self._servicebus(), self._functions_host()]

    def _postgres(self) -> Service:
        server = self.addresses.postgres
        return Service(
            "postgres",
            server.port,
            server.launch,
            server.is_ready,
            environment={**os.environ, "LC_ALL": "C"},
            prepare=server.prepare,
            provision=server.provision,
            # Fast shutdown: sessions are ended, everything committed is kept.
            stop_signal=signal.SIGINT,
            grace=timedelta(seconds=60),
        )

    def _azurite(self) -> Service:
        server = self.addresses.azurite
        environment = {name: value for name, value in os.environ.items() if name != "AZURITE_ACCOUNTS"}
        return Service(
            "azurite",
            server.port,
            server.launch,
            server.is_ready,
            environment=environment,
            prepare=server.prepare,
            provision=server.provision,
        )

    def _servicebus(self) -> Service:
        port = self.addresses.ports["servicebus"]
        entities = CHECKOUT / "deploy" / "servicebus.json"
        command = ["-m", "local.servicebus", "--host", "127.0.0.1", "--port", str(port)]
        return Service(
            "servicebus",
            port,
            lambda: Launch((sys.executable, *command, "--entities", str(entities))),
            partial(is_listening, port),
        )

    def _functions_host(self) -> Service:
        port, home = self.addresses.http_port, self.addresses.home
        state, workspace = home.root / "functions", home.root / "workspace"
        command = ["-m", "local.functions_host", "--app", str(self.app), "--port", str(port)]
        command += ["--workers", str(self.workers), "--state", str(state)]

        def prepare() -> None:
            state.mkdir(exist_ok=True)
            workspace.mkdir(exist_ok=True)

        return Service(
            "functions",
            port,
            lambda: Launch((sys.executable, *command)),
            partial(is_listening, port),
            environment={**os.environ, **application_environment(self.addresses)},
            prepare=prepare,
            grace=timedelta(seconds=40),
            needs_others=True,
        )
