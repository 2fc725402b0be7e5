"""HTTP triggers over a socket."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.local.functions_host.host_process import HostProcess, launch, write_app

APP = """
def echo(req, context=None):
    return func.HttpResponse(
        json.dumps({
            "method": req.method, "url": req.url, "params": dict(req.params), "headers": dict(req.headers),
            "route": dict(req.route_params), "body": req.get_body().decode(),
        }),
        mimetype="application/json",
    )

@app.route("items/{id:int}/{rest?}")
def item(req: func.HttpRequest) -> func.HttpResponse:
    return echo(req)

@app.route("items/latest", methods=["GET"])
async def latest(req: func.HttpRequest) -> str:
    return "latest"

@app.route("files/{*path}", methods=["GET", "PUT"])
def files(req: func.HttpRequest) -> func.HttpResponse:
    return echo(req)

@app.route("context")
def contexts(req: func.HttpRequest, context: func.Context) -> str:
    trace = context.trace_context.trace_parent
    stored = context.thread_local_storage.invocation_id
    directory = context.function_directory
    return json.dumps([context.function_name, context.invocation_id, trace, stored, directory])

@app.route("response")
def response(req: func.HttpRequest) -> func.HttpResponse:
    headers = {"X-Tea": "yes", "Content-Length": req.params.get("length", "999")}
    body = None if req.method == "HEAD" else b"\\x00\\xff"
    answer = func.HttpResponse(body, status_code=418, headers=headers, mimetype="image/x-pot")
    answer.headers.add("Set-Cookie", "a=1; Path=/")
    answer.headers.add("Set-Cookie", "b=2")
    return answer

@app.route("fails")
def fails(req: func.HttpRequest) -> str:
    raise RuntimeError("the secret is 42")

@app.route("nothing")
def nothing(req: func.HttpRequest):
    return None

@app.route("slow")
def slow(req: func.HttpRequest) -> str:
    barrier.wait(20)
    return threading.current_thread().name

barrier = threading.Barrier(3)
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    app = write_app(tmp_path_factory.mktemp("http"), APP)
    running = launch(app, FUNCTIONS_REQUEST_BODY_SIZE_LIMIT="1000")
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()


def test_a_request_reaches_the_function_whole(host: HostProcess) -> None:
    path = "/api/items/7/a%20b?x=1&x=2&y=%C3%A9"

    answer = host.request("POST", path, b'{"a": 1}', Content_Type="application/json", X_Mine="abc")

    seen = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert (seen["method"], seen["route"], seen["body"]) == ("POST", {"id": "7", "rest": "a b"}, '{"a": 1}')
    assert seen["params"] == {"x": "1,2", "y": "é"}
    assert seen["url"] == f"http://127.0.0.1:{host.port}{path}"
    assert seen["headers"]["x-mine"] == "abc"


def test_a_literal_segment_comes_before_a_parameter(host: HostProcess) -> None:
    answer = host.get("/api/items/latest")

    assert (answer.status, answer.body) == (200, b"latest")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/unknown"),
        ("GET", "/items/latest"),
        ("GET", "/api/items/seven"),
        ("GET", "/api/items/1/2/3"),
        ("POST", "/api/items/latest"),
        ("HEAD", "/api/items/latest"),
    ],
)
def test_what_no_route_and_method_fits_is_an_empty_404(host: HostProcess, method: str, path: str) -> None:
    answer = host.request(method, path)

    assert (answer.status, answer.body) == (404, b"")


def test_a_catch_all_takes_the_rest_of_the_path_and_an_encoded_slash_stays_encoded(host: HostProcess) -> None:
    seen = host.get("/api/files/a/b%2Fc/d.tif").json()

    assert seen["route"] == {"path": "a/b%2Fc/d.tif"}


def test_a_parameter_may_hold_a_line_break(host: HostProcess) -> None:
    answer = host.get("/api/files/a%0Ab%0D")

    assert json.loads(answer.body)["route"] == {"path": "a\nb\r"}


def test_an_exception_is_an_empty_500_and_is_logged(host: HostProcess) -> None:
    answer = host.get("/api/fails")

    assert (answer.status, answer.body) == (500, b"")
    assert "RuntimeError: the secret is 42" in host.output()


def test_a_function_that_returns_no_response_is_a_500_that_says_why_in_the_log(host: HostProcess) -> None:
    answer = host.get("/api/nothing")

    assert (answer.status, answer.body) == (500, b"")
    assert "must return str or HttpResponse, not NoneType" in host.output()


def test_status_headers_cookies_and_bytes_of_a_response_arrive(host: HostProcess) -> None:
    answer = host.get("/api/response")

    assert (answer.status, answer.body) == (418, b"\x00\xff")
    assert (answer.headers["X-Tea"], answer.headers["content-type"]) == ("yes", "image/x-pot")
    assert answer.headers.get_all("Set-Cookie") == ["a=1; Path=/", "b=2"]


def test_the_length_of_an_answer_to_head_is_the_functions_and_otherwise_counted(host: HostProcess) -> None:
    lengths = [host.request(method, "/api/response").headers["Content-Length"] for method in ("HEAD", "GET")]

    assert lengths == ["999", "2"]


def test_the_context_continues_the_callers_trace(host: HostProcess) -> None:
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"

    name, invocation, trace, stored, directory = host.get("/api/context", traceparent=parent).json()

    assert (name, invocation, directory) == ("contexts", stored, str(host.app))
    assert trace.split("-")[1] == "ab" * 16
    assert trace.split("-")[2] != "cd" * 8


def test_blocking_functions_run_at_the_same_time(host: HostProcess) -> None:
    with ThreadPoolExecutor(3) as pool:
        names = {answer.body for answer in pool.map(lambda _: host.get("/api/slow"), range(3))}

    assert len(names) == 3


def test_a_body_over_the_limit_is_a_413(host: HostProcess) -> None:
    assert host.request("PUT", "/api/files/a", b"x" * 1000).status == 200
    assert host.request("PUT", "/api/files/a", b"x" * 1001).status == 413


def test_the_start_lists_the_functions(host: HostProcess) -> None:
    lines = host.output()

    assert f"latest: [GET] http://127.0.0.1:{host.port}/api/items/latest" in lines
    assert f"item: [all] http://127.0.0.1:{host.port}/api/items/{{id:int}}/{{rest?}}" in lines


def test_keys_are_asked_for_when_the_host_has_some(start_host, tmp_path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(
        json.dumps({"masterKey": "m", "functionKeys": {"default": "h"}, "functions": {"guarded": {"k": "f"}}})
    )
    source = """
    @app.route("guarded", auth_level=func.AuthLevel.FUNCTION)
    def guarded(req: func.HttpRequest) -> str:
        return "in"

    @app.route("governed", auth_level=func.AuthLevel.ADMIN)
    def governed(req: func.HttpRequest) -> str:
        return "in"
    """

    host = start_host(source, "--require-keys", str(keys))

    opened = {
        (route, key)
        for route in ("guarded", "governed")
        for key in ("m", "h", "f", "x", "")
        if host.get(f"/api/{route}", x_functions_key=key).status == 200
    }
    assert opened == {("guarded", "m"), ("guarded", "h"), ("guarded", "f"), ("governed", "m")}
    assert host.get("/api/guarded?code=f").status == 200
    assert (host.get("/api/guarded").status, host.get("/api/pid").status) == (401, 200)


def test_an_asgi_app_is_served_with_its_lifespan(start_host) -> None:
    source = """
    async def asgi(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            note("startup")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            note("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = [(b"content-type", b"text/x-path")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    app = func.AsgiFunctionApp(asgi, http_auth_level=func.AuthLevel.ANONYMOUS)
    """
    host = start_host(source, host={"extensions": {"http": {"routePrefix": ""}}})

    answer = host.get("/any/where")
    host.stop()

    assert (answer.status, answer.body) == (200, b"/any/where")
    assert host.notes() == ["startup", "shutdown"]
