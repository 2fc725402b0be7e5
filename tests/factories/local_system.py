"""A local system of its own for tests, and a client of it."""

import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from azure.storage.blob import BlobServiceClient
from psycopg import connect

from local.binaries import CHECKOUT
from local.home import Home
from local.processes import recorded
from tests.fixtures.processes import wait_until


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True)
class RunningSystem:
    """A local system that `make up` would start, and what `make env` prints of it."""

    home: Path
    variables: dict[str, str]

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.variables["TERRANE_URL"]).netloc, timeout=90)
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": content_type})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, json.loads(text) if text else {})

    def submit(self, job_type: str, **parameters: Any) -> Answer:
        return self.request("POST", f"/api/jobs/submit/{job_type}", parameters)

    def ended(self, job_id: str, tries: int = 6) -> dict[str, Any]:
        """Wait for the end of a job, at most `tries` times half a minute."""
        for _ in range(tries):
            job = self.request("GET", f"/api/jobs/{job_id}?wait=30").body
            if job["completed_at"] is not None:
                return job
        raise AssertionError(
            f"job {job_id} is {job['status']}: {self.request('GET', f'/api/jobs/{job_id}/why').body}"
        )

    @property
    def blobs(self) -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(self.variables["AZURE_STORAGE_CONNECTION_STRING"])

    def upload(self, name: str, content: bytes, container: str = "bronze-rasters") -> None:
        with self.blobs as service:
            service.get_blob_client(container, name).upload_blob(content, overwrite=True)

    def query(self, statement: str, *values: Any) -> list[Any]:
        """Return the first column of what a statement finds in the app database."""
        with connect(self.variables["DATABASE_URL"]) as connection:
            return [row[0] for row in connection.execute(statement, values)]

    def execute(self, statement: str) -> None:
        """Run a statement in the app database, as the owner of its schemas."""
        with connect(self.variables["DATABASE_URL"]) as connection:
            connection.execute(statement)

    def tasks(self, job_id: str, stage: int) -> list[dict[str, Any]]:
        """Return the tasks of a stage."""
        found: list[dict[str, Any]] = self.request("GET", f"/api/jobs/{job_id}/tasks?stage={stage}").body[
            "items"
        ]
        return found

    def children(self, job_id: str) -> list[psutil.Process]:
        """Return the processes in which native code works for a job."""
        tasks = set(self.query("SELECT task_id FROM app.tasks WHERE job_id = %s", job_id))
        return [process for process in self._isolated() if _workspace(process)[:32] in tasks]

    def child(self, job_id: str, stage: int) -> psutil.Process:
        """Wait until native code works for a job in a stage, and return its process."""
        found: list[psutil.Process] = []

        def works() -> bool:
            tasks = self.query(
                "SELECT task_id FROM app.tasks WHERE (job_id, stage) = (%s, %s)", job_id, stage
            )
            found[:] = [process for process in self._isolated() if _workspace(process)[:32] in tasks]
            return bool(found)

        wait_until(works, 120)
        return found[0]

    def _isolated(self) -> list[psutil.Process]:
        descendants = [child for worker in self.workers() for child in worker.children(recursive=True)]
        return [process for process in descendants if _workspace(process)]

    def server(self, name: str) -> psutil.Process:
        """Return one of the servers that make up the system, or the supervisor."""
        return psutil.Process(recorded(Home(self.home))[name].pid)

    @contextmanager
    def without(self, name: str, ask: signal.Signals = signal.SIGTERM) -> Iterator[None]:
        """Take a server down for the length of a block, and wait until its successor answers."""
        supervisor, server = self.server("supervisor"), self.server(name)
        # Stopped, it starts nothing anew.
        supervisor.suspend()
        try:
            server.send_signal(ask)
            wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, 60)
            yield
        finally:
            supervisor.resume()
        wait_until(self._is_ready, 90)

    def _is_ready(self) -> bool:
        try:
            return self.request("GET", "/api/readyz").status == 200
        except OSError:
            return False

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes of the Functions host."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or ())
            if "local.functions_host.worker" in line and str(self.home) in line:
                found.append(process)
        return found


def _workspace(process: psutil.Process) -> str:
    """Return the name of the task's directory that a process works in, empty if it is in none."""
    try:
        directory = Path(process.cwd())
    except psutil.Error:
        return ""
    return directory.name if directory.parent.name == "terrane" else ""


@contextmanager
def nothing_around(_home: Path) -> Iterator[Mapping[str, str]]:
    """Prepare nothing."""
    yield {}


@contextmanager
def running_system(
    settings: Mapping[str, str],
    around: Callable[[Path], AbstractContextManager[Mapping[str, str]]] = nothing_around,
) -> Iterator[RunningSystem]:
    """Start a system in a new home, with these settings of the app, and stop it at the end.

    Args:
        settings: Environment variables beside the caller's.
        around: Entered with the home before anything is started, and left when all is stopped; gives
            further variables.
    """
    with tempfile.TemporaryDirectory(prefix="terrane-tests-") as folder:
        home = Path(folder).resolve()
        home.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        own = {"TERRANE_HOME": str(home), "TERRANE_PORT": str(port)}
        with around(home) as further:
            environment = {**os.environ, **settings, **further, **own}
            try:
                yield _started(home, environment)
            finally:
                _local("down", environment)


def _started(home: Path, environment: Mapping[str, str]) -> RunningSystem:
    started = _local("up", environment)
    assert started.returncode == 0, started.stdout + started.stderr
    printed = _local("env", environment).stdout.splitlines()
    lines = (shlex.split(line.removeprefix("export "))[0] for line in printed)
    return RunningSystem(home, dict(line.split("=", 1) for line in lines))


def _local(command: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", command],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
