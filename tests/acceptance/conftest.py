"""A whole local system for the session, and a client of it."""

import http.client
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from azure.storage.blob import BlobServiceClient

from local.binaries import CHECKOUT

# Short enough that a test need not wait a minute for a dead worker's lease.
_SETTINGS = {"ENGINE_LEASE_SECONDS": "4", "ENGINE_HEARTBEAT_SECONDS": "1"}


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

    def upload(self, name: str, content: bytes) -> None:
        with self.blobs as service:
            service.get_blob_client("bronze-rasters", name).upload_blob(content, overwrite=True)

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes of the Functions host."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or ())
            if "local.functions_host.worker" in line and str(self.home) in line:
                found.append(process)
        return found


@pytest.fixture(scope="session")
def terrane() -> Iterator[RunningSystem]:
    with tempfile.TemporaryDirectory(prefix="terrane-acceptance-") as folder:
        home = Path(folder).resolve()
        home.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = os.environ | _SETTINGS | {"TERRANE_HOME": str(home), "TERRANE_PORT": str(port)}
        local = [sys.executable, "-m", "local"]
        try:
            started = subprocess.run(
                [*local, "up"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
            )
            assert started.returncode == 0, started.stdout + started.stderr
            printed = subprocess.run(
                [*local, "env"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True
            ).stdout
            lines = (shlex.split(line.removeprefix("export "))[0] for line in printed.splitlines())
            yield RunningSystem(home, dict(line.split("=", 1) for line in lines))
        finally:
            subprocess.run([*local, "down"], cwd=CHECKOUT, env=environment, capture_output=True, check=False)
