"""How an ASGI app is begun and where it believes to lie."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.errors import TransientError
from triggers.apis.serving import LazyApp, Mount

URL = "http://10.0.0.4:7071/api/shapes"


@dataclass
class Shapes:
    """An app that tells what it sees, and how often it began."""

    failures: int = 0
    events: list[str] = field(default_factory=list)

    def make(self) -> Starlette:
        self.events.append("made")
        if self.failures:
            self.failures -= 1
            raise OSError("no database")
        routes = [
            Route("/", self.show, methods=["GET"]),
            Route("/{name:path}", self.show, methods=["GET", "POST"]),
        ]
        return Starlette(routes=routes, lifespan=self.lifespan)

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self.events.append("began")
        yield
        self.events.append("ended")

    async def show(self, request: Request) -> Response:
        if request.url.path.endswith("wrong"):
            return JSONResponse({"detail": "There is no such shape."}, 404)
        if request.url.path.endswith("broken"):
            return JSONResponse({"detail": "secret of the database"}, 500)
        return JSONResponse(
            {
                "base": str(request.base_url),
                "self": str(request.url),
                "method": request.method,
                "query": request.url.query,
            }
        )


def ask(
    shapes: Shapes, *urls: str, method: str = "GET", public_url: str = "", **headers: str
) -> list[func.HttpResponse]:
    async def run() -> list[func.HttpResponse]:
        lazy = LazyApp("shapes", shapes.make)
        middleware = func.AsgiMiddleware(Mount("shapes", lazy, public_url))
        given = {"host": "10.0.0.4:7071"} | {name.replace("_", "-"): text for name, text in headers.items()}
        requests = [func.HttpRequest(method=method, url=url, headers=given, body=b"") for url in urls]
        try:
            return await asyncio.gather(*(middleware.handle_async(request) for request in requests))
        finally:
            await lazy.close()

    return asyncio.run(run())


def seen(response: func.HttpResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.get_body()
    body: dict[str, Any] = json.loads(response.get_body())
    return body


def test_an_app_knows_the_address_at_which_its_clients_find_it() -> None:
    [root, below] = ask(Shapes(), URL, f"{URL}/squares/a%20b?side=2")

    assert seen(root)["base"] == f"{URL}/"
    assert seen(below) == {
        "base": f"{URL}/",
        "self": f"{URL}/squares/a b?side=2",
        "method": "GET",
        "query": "side=2",
    }


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"x_forwarded_host": "maps.test"}, "http://maps.test/api/shapes/"),
        (
            {"x_forwarded_host": "maps.test, inner.test", "x_forwarded_proto": "https"},
            "https://maps.test/api/shapes/",
        ),
        (
            {"x_forwarded_host": "maps.test", "x_forwarded_port": "8443", "x_forwarded_proto": "https"},
            "https://maps.test:8443/api/shapes/",
        ),
        (
            {"forwarded": 'for=1.2.3.4;host="maps.test";proto=https, host=inner.test'},
            "https://maps.test/api/shapes/",
        ),
        ({"x_forwarded_host": "evil/../x"}, f"{URL}/"),
        ({"x_forwarded_proto": "javascript"}, f"{URL}/"),
    ],
)
def test_links_lead_through_the_proxy_that_the_client_used(headers: dict[str, str], base: str) -> None:
    [answer] = ask(Shapes(), URL, **headers)

    assert seen(answer)["base"] == base


def test_the_public_address_wins_over_what_proxies_say() -> None:
    [answer] = ask(Shapes(), URL, public_url="https://maps.test/geo/", x_forwarded_host="other.test")

    assert seen(answer)["base"] == "https://maps.test/geo/api/shapes/"


def test_head_is_answered_where_get_is() -> None:
    [answer] = ask(Shapes(), URL, method="HEAD")

    assert seen(answer)["method"] == "GET"


def test_requests_that_come_together_begin_the_app_once() -> None:
    shapes = Shapes()

    answers = ask(shapes, *[URL] * 20)

    assert {answer.status_code for answer in answers} == {200}
    assert shapes.events == ["made", "began", "ended"]


def test_a_beginning_that_fails_is_tried_again_by_the_next_request() -> None:
    shapes = Shapes(failures=1)

    async def run() -> int:
        lazy = LazyApp("shapes", shapes.make)
        middleware = func.AsgiMiddleware(Mount("shapes", lazy))
        request = func.HttpRequest(method="GET", url=URL, headers={"host": "h"}, body=b"")
        with pytest.raises(TransientError, match="OSError: no database"):
            await middleware.handle_async(request)
        answer = await middleware.handle_async(request)
        await lazy.close()
        return int(answer.status_code)

    assert asyncio.run(run()) == 200
    assert shapes.events == ["made", "made", "began", "ended"]


def test_errors_are_problems_that_keep_what_stac_clients_read() -> None:
    [answer] = ask(Shapes(), f"{URL}/wrong", accept_encoding="gzip, br")

    problem = json.loads(answer.get_body())
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert problem == {
        "type": "http://10.0.0.4:7071/api/docs#errors/api.not_found",
        "title": "There is nothing at this address",
        "status": 404,
        "detail": "There is no such shape.",
        "description": "There is no such shape.",
        "instance": "/api/shapes/wrong",
        "code": "api.not_found",
        "remedy": "Follow the links from the API's landing page; what was unpublished is gone.",
        "retryable": False,
    }


def test_what_went_wrong_inside_is_for_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    [answer] = ask(Shapes(), f"{URL}/broken")

    problem = json.loads(answer.get_body())
    assert problem["code"] == "api.failed"
    assert b"secret" not in answer.get_body()
    [record] = [record for record in caplog.records if record.message == "api failed"]
    assert record.__dict__["reference"] in problem["detail"]
    assert record.__dict__["detail"] == "secret of the database"
