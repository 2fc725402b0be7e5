"""Jobs of mixed shape, submitted, cancelled and resubmitted while the system breaks."""

import http.client
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.binaries import CHECKOUT
from tests.acceptance.vector_jobs import points
from tests.factories.local_system import Answer, RunningSystem

JOBS = 50
# Fifty jobs in the time of a short run, more in a longer one.
_SECONDS_A_JOB = 2.0
VECTOR_ROWS = 1_000
_SAMPLE = CHECKOUT / "samples" / "jacksboro_fault_dem.tif"
_PATIENCE_SECONDS = 180
_ENDED = {"completed", "completed_with_errors", "failed", "cancelled"}


@dataclass
class Workload:
    """A client that does not give up.

    Args:
        system: The system.
        seed: Decides about the jobs and what becomes of them.
        seconds: Over what time they are submitted.
    """

    system: RunningSystem
    seed: int
    seconds: float
    job_ids: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def jobs(self) -> int:
        """Return how many are submitted."""
        return max(JOBS, round(self.seconds / _SECONDS_A_JOB))

    def upload_samples(self) -> None:
        """Put the sources in place while the blob store is well."""
        raster, vector = _SAMPLE.read_bytes(), points(VECTOR_ROWS)
        for number in range(0, self.jobs, 10):
            self.system.upload(f"chaos/raster_{number}.tif", raster)
            self.system.upload(f"chaos/vector_{number + 5}.geojsonl", vector, "bronze-vectors")

    def run(self) -> None:
        """Submit every job, and meddle with those that are there."""
        chance = random.Random(self.seed)
        pause = self.seconds / (self.jobs * 1.2)
        cancelled: list[str] = []
        for number in range(self.jobs):
            self._submit(number, chance)
            if number % 6 == 5:
                cancelled.append(chance.choice(self.job_ids[-4:]))
                self._post("cancel", f"/api/jobs/{cancelled[-1]}/cancel")
            if number % 9 == 8:
                self._post("resubmit", f"/api/jobs/{chance.choice(cancelled)}/resubmit")
            time.sleep(pause * chance.uniform(0.5, 1.5))
        self._post("resubmit many", "/api/jobs/resubmit?status=failed&limit=10")

    def ended(self, seconds: float) -> dict[str, dict[str, Any]]:
        """Wait for the end of every job; return them all as they are then."""
        give_up = time.monotonic() + seconds
        jobs: dict[str, dict[str, Any]] = {}
        while len(jobs) < len(self.job_ids):
            for job_id in set(self.job_ids) - set(jobs):
                job = self.patiently("GET", f"/api/jobs/{job_id}").body
                if job["status"] in _ENDED or time.monotonic() > give_up:
                    jobs[job_id] = job
            time.sleep(0.5)
        return jobs

    def patiently(self, method: str, path: str, body: Any = None) -> Answer:
        """Ask until somebody answers who is well."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                answer = self.system.request(method, path, body)
            except (OSError, http.client.HTTPException, ValueError):
                answer = None
            if answer is not None and answer.status != 503:
                return answer
            if time.monotonic() > give_up:
                raise TimeoutError(f"{method} {path}: {answer or 'nobody answers'}")
            time.sleep(0.3)

    def _submit(self, number: int, chance: random.Random) -> None:
        job_type, parameters = _shapes(number, chance)
        answer = self.patiently(
            "POST", f"/api/jobs/submit/{job_type}?priority={chance.randrange(10)}", parameters
        )
        assert answer.status in (200, 202), f"{job_type} {parameters}: {answer}"
        self.job_ids.append(answer.body["job_id"])
        self.asked[f"submit {job_type}"] += 1

    def _post(self, what: str, path: str) -> None:
        answer = self.patiently("POST", path)
        assert answer.status in (202, 409), f"{path}: {answer}"
        counter = self.asked if answer.status == 202 else self.refused
        counter[what] += 1


def _shapes(number: int, chance: random.Random) -> tuple[str, dict[str, Any]]:
    if number % 10 == 0:
        return "process_raster_v2", {
            "container_name": "bronze-rasters",
            "blob_name": f"chaos/raster_{number}.tif",
        }
    if number % 10 == 5:
        return "process_vector", {
            "blob_name": f"chaos/vector_{number}.geojsonl",
            "file_extension": "geojsonl",
            "table_name": f"chaos_{number}",
            "chunk_size": 200,
        }
    shape: Callable[[int, random.Random], tuple[str, dict[str, Any]]] = _counted if number % 2 else _hello
    return shape(number, chance)


def _hello(number: int, chance: random.Random) -> tuple[str, dict[str, Any]]:
    return "hello_world", {
        "n": chance.randint(1, 20),
        "message": f"chaos {number}",
        "sleep_seconds": chance.choice([0.0, 0.1, 0.5]),
        "failure_rate": chance.choice([0.0, 0.0, 0.2]),
    }


def _counted(number: int, chance: random.Random) -> tuple[str, dict[str, Any]]:
    return "counted", {
        "n": chance.randint(1, 10),
        "number": number,
        "sleep_seconds": chance.choice([0.0, 0.2, 1.0]),
        "failure_rate": chance.choice([0.0, 0.0, 0.2]),
    }
