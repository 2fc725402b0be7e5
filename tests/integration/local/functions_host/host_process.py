"""A Functions host in a process of its own, serving an app that a test has written."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fixtures.processes import wait_until

REPOSITORY = Path(__file__).parents[4]
START_SECONDS = 60.0

_LISTENING = re.compile(r"^Listening on http://127\.0\.0\.1:(\d+)$", re.MULTILINE)

PREAMBLE = """
import azure.functions as func, asyncio, json, logging, os, signal, threading, time
from pathlib import Path

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

def note(text):
    with Path("notes.txt").open("a") as notes:
        notes.write(f"{text}\\n")

@app.route("pid")
def pid(req: func.HttpRequest) -> str:
    return str(os.getpid())
"""


@dataclass(frozen=True)
class Answer:
    """An HTTP response, read."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HostProcess:
    """A host that is started, asked, signalled and, at the end, always stopped."""

    app: Path
    process: subprocess.Popen[bytes]
    log: Path
    port: int = field(default=0)

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def worker(self) -> int:
        """Return the process id of the worker that answers."""
        return int(self.get("/api/pid").body)

    def answers(self) -> bool:
        try:
            return self.get("/api/pid").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def notes(self) -> list[str]:
        """Return what the app's functions have noted."""
        path = self.app / "notes.txt"
        return path.read_text().splitlines() if path.exists() else []

    def output(self) -> str:
        return self.log.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        return self.process.wait(seconds)

    def wait_ready(self) -> None:
        wait_until(
            lambda: bool(_LISTENING.search(self.output())) or self.process.poll() is not None, START_SECONDS
        )
        found = _LISTENING.search(self.output())
        assert found, self.output()
        self.port = int(found[1])

    def stop(self) -> None:
        """End the host; its workers end with it, also when it has to be killed."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def write_app(
    directory: Path, source: str, host: Mapping[str, Any] | None = None, *, preamble: bool = True
) -> Path:
    """Write a v2-model app whose functions may `note()` what they did."""
    directory.mkdir(parents=True, exist_ok=True)
    text = (PREAMBLE if preamble else "") + textwrap.dedent(source)
    (directory / "function_app.py").write_text(text)
    (directory / "host.json").write_text(json.dumps({"version": "2.0", **(host or {})}))
    return directory


def launch(app: Path, *arguments: str, **settings: str) -> HostProcess:
    """Start the host; `settings` are added to the environment."""
    log = app / "host.log"
    command = [sys.executable, "-m", "local.functions_host", "--app", str(app), "--port", "0"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, "--state", str(app / "state"), *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    return HostProcess(app, process, log)


def is_running(pid: int) -> bool:
    """Whether a process lives; a zombie that waits for its parent does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")
