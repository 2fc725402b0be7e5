"""Serving an ASGI app under a prefix: begun once, at its own address, with errors as problems."""

import asyncio
import logging
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from core.errors import TransientError
from triggers.apis import codes
from triggers.apis.problems import ProblemBodies
from triggers.http.addresses import forwarded_origin

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Any]
Send = Callable[[Message], Any]


class AsgiApp(Protocol):
    """An ASGI app with a router, as Starlette's and FastAPI's are."""

    router: Any

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        ...


@dataclass
class LazyApp:
    """An app that is made, and whose lifespan begins, when the first request asks for it.

    Requests that come meanwhile wait for the same beginning. One that fails is told to everybody
    who waited, and the next request tries again.

    Args:
        name: For messages.
        make: Imports and builds the app; takes seconds, so a thread does it.
    """

    name: str
    make: Callable[[], AsgiApp]
    _begun: "asyncio.Task[AsgiApp] | None" = None
    _end: asyncio.Event = field(default_factory=asyncio.Event)
    _life: "asyncio.Task[None] | None" = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises:
            TransientError: The app cannot begin now (``api.unavailable``).
        """
        if self._begun is None:
            self._begun = asyncio.ensure_future(self._begin())
        begun = self._begun
        try:
            # A client that goes away must not take the beginning with it.
            app = await asyncio.shield(begun)
        except Exception as error:
            if self._begun is begun:
                self._begun = None
            logger.exception("api not started", extra={"api": self.name})
            reason = f"{type(error).__name__}: {error}"
            raise TransientError(codes.API_UNAVAILABLE, f"/{self.name} cannot start: {reason}") from error
        await app(scope, receive, send)

    async def close(self) -> None:
        """End the app's lifespan."""
        self._end.set()
        if self._life is not None:
            await self._life

    async def _begin(self) -> AsgiApp:
        app = await asyncio.to_thread(self.make)
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._life = asyncio.ensure_future(self._live(app.router.lifespan_context(app), started))
        await started
        logger.info("api started", extra={"api": self.name})
        return app

    async def _live(
        self, lifespan: AbstractAsyncContextManager[Any], started: "asyncio.Future[None]"
    ) -> None:
        # Entered and left in one task, as cancel scopes in a lifespan demand.
        try:
            async with lifespan:
                started.set_result(None)
                await self._end.wait()
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)


@dataclass(frozen=True)
class Mount:
    """Serves an app below ``/{name}`` of wherever the host serves routes.

    Starlette's own `mount` gives the app a part of the path, and links that lead nowhere; here
    `root_path` says where the app lies, and the scheme and host are those that the client used.

    Args:
        name: First segment of the app's routes.
        app: The app.
        public_url: Address of the host as clients see it; empty: what the request says.
    """

    name: str
    app: LazyApp
    public_url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        bodies = ProblemBodies(scope["path"], self._problems_base(scope), send)
        await self.app(self._seen_by_app(scope), receive, bodies.send)

    def _problems_base(self, scope: Scope) -> str:
        address = urlsplit(self._origin(scope))
        return f"{address.scheme}://{address.netloc}{address.path}{self._prefix(scope)}"

    def _seen_by_app(self, scope: Scope) -> Scope:
        address = urlsplit(self._origin(scope))
        prefix = self._prefix(scope)
        rest = scope["path"][len(prefix) + len(self.name) + 1 :] or "/"
        root_path = f"{address.path}{prefix}/{self.name}"
        headers = [(name, value) for name, value in scope["headers"] if name not in _REPLACED]
        return {
            **scope,
            # An answer is read whole before it is sent, so nobody listens for a client that left.
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            # None of the libraries answers HEAD everywhere; the Functions host drops the body.
            "method": "GET" if scope["method"] == "HEAD" else scope["method"],
            "scheme": address.scheme,
            "path": root_path + rest,
            "raw_path": (root_path + rest).encode(),
            "root_path": root_path,
            "headers": [*headers, (b"host", address.netloc.encode())],
            "state": {},
        }

    def _origin(self, scope: Scope) -> str:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = f"{scope['scheme']}://{headers.get('host') or _server(scope)}"
        return self.public_url.rstrip("/") or forwarded_origin(headers, request)

    def _prefix(self, scope: Scope) -> str:
        before, _, _ = scope["path"].partition(f"/{self.name}")
        return str(before)


# What the request said of its address is settled here; encodings are the Functions host's.
_REPLACED = frozenset(
    {
        b"host",
        b"forwarded",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        b"accept-encoding",
    }
)


def _server(scope: Mapping[str, Any]) -> str:
    host, port = scope.get("server") or ("localhost", 80)
    return f"{host}:{port}"
