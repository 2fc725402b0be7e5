import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local.client import Client, RequestFailed
from local.readiness import why_not_ready


@dataclass
class Answers:
    """What the server says next, and what it was asked."""

    url: str
    queue: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)


@pytest.fixture
def answers() -> Iterator[Answers]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.asked.append((self.command, self.path, json.loads(body) if body else None))
            status, answer = found.queue.pop(0)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Answers(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_job_is_submitted_with_its_parameters(answers: Answers) -> None:
    answers.queue = [(202, {"job_id": "a"})]

    receipt = Client(answers.url).submit("hello_world", {"n": 2})

    assert receipt == {"job_id": "a"}
    assert answers.asked == [("POST", "/api/jobs/submit/hello_world", {"n": 2})]


def test_a_busy_app_is_asked_again(answers: Answers) -> None:
    answers.queue = [(503, {}), (429, {}), (200, {"status": "completed"})]

    assert Client(answers.url).job("a") == {"status": "completed"}


def test_a_refusal_is_told_with_every_parameter_and_the_remedy(answers: Answers) -> None:
    wrong = [{"parameter": "n", "message": "too large"}, {"parameter": "m", "message": "unknown"}]
    answers.queue = [(422, {"detail": "2 parameters", "errors": wrong, "remedy": "Correct them."})]

    with pytest.raises(RequestFailed) as caught:
        Client(answers.url).submit("hello_world", {})

    assert str(caught.value).splitlines() == [
        "POST /api/jobs/submit/hello_world: 422 2 parameters",
        "  n: too large",
        "  m: unknown",
        "  Correct them.",
    ]


def test_an_app_that_is_not_ready_says_why(answers: Answers) -> None:
    answers.queue = [(503, {"detail": "the bus does not answer"}), (500, b"broken"), (200, {})]

    assert why_not_ready(answers.url) == f"GET {answers.url}/api/readyz: 503 the bus does not answer"
    assert why_not_ready(answers.url) == f"GET {answers.url}/api/readyz: 500 broken"
    assert why_not_ready(answers.url) is None
