"""Serves HTTP triggers with aiohttp."""

import logging
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from types import SimpleNamespace

from aiohttp import web
from azure.functions.http import HttpRequestConverter, HttpResponseConverter
from azure.functions.meta import Datum

from local.functions_host.context import continue_trace
from local.functions_host.invocation import Invoker
from local.functions_host.keys import AccessKeys
from local.functions_host.model import FunctionSpec, HttpTrigger
from local.functions_host.routes import RouteTable

logger = logging.getLogger(__name__)

KEY_HEADER = "x-functions-key"
KEY_PARAMETER = "code"

_FRAMING_HEADERS = ("content-length", "transfer-encoding")
_HOME_PAGE = "Your Functions app is up and running.\n"


@dataclass(frozen=True)
class HttpOptions:
    """How requests are let in.

    Args:
        keys: None lets every request in.
        max_body: Bytes; a longer body is answered with 413.
    """

    keys: AccessKeys | None
    max_body: int


class HttpServer:
    """The HTTP side of a worker."""

    def __init__(self, functions: Iterable[FunctionSpec], invoker: Invoker, options: HttpOptions) -> None:
        self._invoker = invoker
        self._keys = options.keys
        self._routes = RouteTable[FunctionSpec]()
        for function in functions:
            if isinstance(function.trigger, HttpTrigger):
                self._routes.add(function.trigger.template, function.trigger.methods, function)
        self._draining = False
        application = web.Application(client_max_size=options.max_body)
        application.router.add_route("*", r"/{path:[\s\S]*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1)
        self._site: web.SockSite | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on a socket that other workers may share."""
        await self._runner.setup()
        self._site = web.SockSite(self._runner, listener)
        await self._site.start()

    async def stop_accepting(self) -> None:
        """Close the listener; requests that are being answered go on, on connections then closed."""
        self._draining = True
        if self._site is not None:
            await self._site.stop()
        if self._runner.server is not None:
            self._runner.server.pre_shutdown()

    async def close(self) -> None:
        """Close all connections."""
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        response = await self._answer(request)
        if self._draining:
            response.force_close()
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        found = self._routes.find(request.method, request.rel_url.raw_path)
        if found is None:
            return _home_page(request)
        function, route_params = found
        if not self._may_call(function, request):
            return web.Response(status=HTTPStatus.UNAUTHORIZED)
        data = await _decode(request, route_params)
        trace = continue_trace(request.headers.get("traceparent"), request.headers.get("tracestate"))
        try:
            result = await self._invoker.invoke(function, data, trace)
        except Exception:  # noqa: BLE001 - the invoker has logged it; the client learns nothing of it.
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)
        try:
            return _encode(result, request.method)
        except (TypeError, ValueError):
            logger.exception("result is no response", extra={"function": function.name})
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)

    def _may_call(self, function: FunctionSpec, request: web.Request) -> bool:
        if self._keys is None or not isinstance(function.trigger, HttpTrigger):
            return True
        key = request.headers.get(KEY_HEADER) or request.query.get(KEY_PARAMETER)
        return self._keys.allow(function.trigger.auth_level, function.name, key)


def _home_page(request: web.Request) -> web.Response:
    if request.rel_url.raw_path == "/" and request.method in {"GET", "HEAD"}:
        return web.Response(text=_HOME_PAGE)
    return web.Response(status=HTTPStatus.NOT_FOUND)


async def _decode(request: web.Request, route_params: dict[str, str]) -> object:
    """Build the function's request; values of a repeated name are joined by commas, as over gRPC."""
    body = await request.read()
    query = {name: ",".join(request.query.getall(name)) for name in request.query}
    headers = {name.lower(): ",".join(request.headers.getall(name)) for name in request.headers}
    message = {
        "method": Datum(request.method, "string"),
        "url": Datum(f"{request.scheme}://{request.host}{request.raw_path}", "string"),
        "headers": _strings(headers),
        "query": _strings(query),
        "params": _strings(route_params),
        "body": Datum(body, "bytes"),
    }
    return HttpRequestConverter.decode(Datum(message, "http"), trigger_metadata={})


def _strings(values: dict[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def _encode(result: object, method: str) -> web.Response:
    """Turn what the function returned into an answer.

    Raises:
        TypeError: It is neither a string nor an `HttpResponse`: the real worker refuses that too.
    """
    try:
        datum = HttpResponseConverter.encode(result, expected_type=None)
    except NotImplementedError:
        raise TypeError(
            f"an HTTP function must return str or HttpResponse, not {type(result).__name__}"
        ) from None
    if datum.type == "string":
        return web.Response(text=datum.value)
    message = SimpleNamespace(**datum.value)
    response = web.Response(status=int(message.status_code.value), body=message.body.value)
    for name, value in message.headers.items():
        # The length is counted here, but for HEAD only the function knows it.
        if name.lower() not in _FRAMING_HEADERS or method == "HEAD":
            response.headers[name] = value.value
    for cookie in message.cookies or ():
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response
