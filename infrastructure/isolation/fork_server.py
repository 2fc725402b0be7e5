"""The runner's handle on a fork server process."""

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from core.ports.isolation import IsolationKind
from infrastructure.isolation.environment import server_environment

logger = logging.getLogger(__name__)

_CLOSING_SECONDS = 10
_MODULE = "infrastructure.isolation.server"


@dataclass(frozen=True)
class ServerOptions:
    """How fork servers are started.

    Args:
        preload: Modules that each kind imports before its first call.
        variables: Environment variables of each kind, e.g. ``GDAL_CACHEMAX``.
        python_path: Directories searched for modules besides this process's own.
    """

    preload: Mapping[IsolationKind, Sequence[str]] = field(default_factory=dict)
    variables: Mapping[IsolationKind, Mapping[str, str]] = field(default_factory=dict)
    python_path: Sequence[Path] = ()


class ForkServerProcess:
    """A running fork server; it starts with this object.

    Args:
        kind: What it serves.
        options: How it is started.
    """

    def __init__(self, kind: IsolationKind, options: ServerOptions) -> None:
        self.kind = kind
        self._sending = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = _start(kind, options, theirs.fileno())
        threading.Thread(target=_forward, args=(kind, self._process.stdout), daemon=True).start()
        logger.info("fork server started", extra={"kind": kind, "pid": self._process.pid})

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def submit(self, descriptors: Sequence[int]) -> None:
        """Ask for a child that gets `descriptors` (channel, output, status).

        Raises:
            OSError: The server is gone.
        """
        with self._sending:
            socket.send_fds(self._control, [b"c"], descriptors)

    def close(self) -> None:
        """End the server and its children, and reap it."""
        self._control.close()
        try:
            self._process.wait(_CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            logger.warning("fork server killed", extra={"kind": self.kind, "pid": self.pid})
            self._process.kill()
            self._process.wait()


def _start(kind: IsolationKind, options: ServerOptions, control: int) -> subprocess.Popen[bytes]:
    preload = [f"--preload={module}" for module in options.preload.get(kind, ())]
    # -P keeps the directory in which the server starts out of the module search path.
    command = [sys.executable, "-P", "-m", _MODULE, f"--kind={kind}", f"--control={control}", *preload]
    return subprocess.Popen(  # noqa: S603 - the command holds nothing from outside
        command,
        env=server_environment(options.python_path, options.variables.get(kind, {})),
        cwd=os.sep,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(control,),
        # A Ctrl-C in the terminal is for the worker, which decides what becomes of its children.
        start_new_session=True,
    )


def _forward(kind: IsolationKind, output: IO[bytes] | None) -> None:
    if output is None:
        return
    with output, contextlib.suppress(ValueError):
        for line in output:
            text = line.decode(errors="replace").rstrip()
            logger.info("fork server output", extra={"kind": kind, "line": text})
