"""A local system of its own for a benchmark, and a client of it."""

import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from local.environment import application_environment
from local.home import Home
from local.launcher import running_addresses
from local.postgres import SUPERUSER

_EXPORT = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)
_PORT = "7371"


@dataclass(frozen=True)
class System:
    """A running local system.

    Args:
        variables: What ``make env`` prints.
        home: Its ``TERRANE_HOME``.
    """

    variables: dict[str, str]
    home: Path

    def application(self) -> dict[str, str]:
        """Return the environment of a process of the app, for workers beside the host."""
        return os.environ | application_environment(running_addresses(Home(self.home)))

    def superuser_url(self) -> str:
        """Return the address of the server's own database, for settings that need a superuser."""
        return running_addresses(Home(self.home)).postgres.url(SUPERUSER, "postgres")

    def run_job(self, job_type: str, parameters: dict[str, Any], *, rerun: bool = False) -> dict[str, Any]:
        """Submit a job, wait for its end and return it.

        Args:
            job_type: Its type.
            parameters: Its parameters.
            rerun: Run it again if it has completed before.

        Raises:
            RuntimeError: It was refused, or did not complete.
        """
        query = "?rerun=true" if rerun else ""
        receipt = self.request("POST", f"/api/jobs/submit/{job_type}{query}", parameters)
        return self.wait_for(receipt["job_id"])

    def wait_for(self, job_id: str) -> dict[str, Any]:
        """Wait for the end of a job and return it.

        Raises:
            RuntimeError: It did not complete.
        """
        while True:
            job = self.request("GET", f"/api/jobs/{job_id}?wait=60")
            if job["completed_at"] is not None:
                break
        if job["status"] != "completed":
            raise RuntimeError(f"{job['job_type']} {job['status']}: {job['error']}")
        return job

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make one request and return the JSON object."""
        connection = http.client.HTTPConnection(urlsplit(self.variables["TERRANE_URL"]).netloc, timeout=90)
        connection.request(
            method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        connection.close()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {answer}")
        return answer

    def workers(self) -> list[psutil.Process]:
        """Return the processes that run the app's functions, of this home alone."""
        mine = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            line = " ".join(process.info["cmdline"] or ())
            home = (process.info["environ"] or {}).get("TERRANE_HOME")
            if "local.functions_host.worker" in line and home == str(self.home):
                mine.append(process)
        return mine


@contextmanager
def system(**settings: str) -> Iterator[System]:
    """Start a system in a new home, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="terrane-bench-") as folder:
        home = Path(folder).resolve()
        home.chmod(0o755)
        environment = os.environ | {"TERRANE_HOME": str(home), "TERRANE_PORT": _PORT} | settings
        local = [sys.executable, "-m", "local"]
        subprocess.run([*local, "up"], env=environment, check=True, stdout=sys.stderr)
        try:
            printed = subprocess.run(
                [*local, "env"], env=environment, check=True, capture_output=True, text=True
            ).stdout
            variables = {name: shlex.split(value)[0] for name, value in _EXPORT.findall(printed)}
            yield System(variables, home)
        finally:
            subprocess.run([*local, "down"], env=environment, check=True, stdout=sys.stderr)
