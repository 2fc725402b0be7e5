"""Isolated calls in children of warm fork servers."""

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import Stopped
from core.json import JsonObject
from core.ports.isolation import IsolatedCall, IsolationKind, Watch
from infrastructure.isolation.conversation import Conversation
from infrastructure.isolation.fork_server import ForkServerProcess, ServerOptions

logger = logging.getLogger(__name__)


class ForkServerRunner:
    """`core.ports.isolation.IsolatedRunner` with one fork server per kind, started when needed.

    Calls may come from several threads at once; each gets its own child.

    Args:
        preload: Modules that each kind's server imports before its first call.
        variables: Environment variables per kind, e.g. ``{"raster": {"GDAL_CACHEMAX": "256"}}``.
        python_path: Directories in which children find modules, besides this process's own.
    """

    def __init__(
        self,
        preload: Mapping[IsolationKind, Sequence[str]],
        variables: Mapping[IsolationKind, Mapping[str, str]] | None = None,
        python_path: Sequence[Path] = (),
    ) -> None:
        self._options = ServerOptions(preload, variables or {}, python_path)
        self._servers: dict[IsolationKind, ForkServerProcess] = {}
        self._starting = threading.Lock()
        self._closed = threading.Event()

    def run(self, call: IsolatedCall, watch: Watch) -> JsonObject:
        """Run `call` in a fresh child and return the function's result.

        Raises:
            TaskFailed: The function raised it, or something unexpected.
            TransientError: The function raised it.
            NativeCrash: The child, or its fork server, died.
            OutOfMemory: The child grew beyond its limit, or was killed by the system.
            DeadlineExceeded: The child took too long.
            Stopped: The runner was closed.
        """
        with Conversation(call, watch, self._closed) as conversation:
            self._submit(call.kind, conversation)
            return conversation.follow()

    def start(self, kind: IsolationKind) -> None:
        """Start the fork server of `kind` now, so that no call waits for its imports."""
        self._server(kind)

    def close(self) -> None:
        """Kill and reap every child and fork server; calls under way end with `Stopped`."""
        self._closed.set()
        with self._starting:
            for server in self._servers.values():
                server.close()
            self._servers.clear()

    def _submit(self, kind: IsolationKind, conversation: Conversation) -> None:
        server = self._server(kind)
        try:
            conversation.begin(server)
        except OSError:
            # It died between the look and the request; a fresh one has not had the time.
            logger.warning("fork server lost", extra={"kind": kind})
            conversation.begin(self._server(kind, lost=server))

    def _server(self, kind: IsolationKind, lost: ForkServerProcess | None = None) -> ForkServerProcess:
        """Return a server that runs and is not `lost`, starting it if there is none."""
        with self._starting:
            if self._closed.is_set():
                raise Stopped("drain")
            server = self._servers.get(kind)
            if server and server is not lost and server.is_alive():
                return server
            if server:
                server.close()
            self._servers[kind] = ForkServerProcess(kind, self._options)
            return self._servers[kind]
