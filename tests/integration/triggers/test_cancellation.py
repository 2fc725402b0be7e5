"""A cancellation on its way to a handler that is at work: HTTP, row, heartbeat, handler."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import ClassVar

import pytest
from pydantic import BaseModel

from core.declaration import PreviousResults, Stage, TaskPlan
from core.handler import TaskContext, task_handler
from core.registry import Registry
from jobs.mixins import JobBaseMixin, JobParameters
from tests.factories.memory_app import Client, MemoryApp
from tests.fixtures.processes import wait_until


class Nothing(BaseModel):
    """No parameters, no result."""


class WaitingJob(JobBaseMixin):
    """One task that waits for ever."""

    job_type = "waiting"
    description = "One task that waits for ever."
    parameters_schema = JobParameters
    stages: ClassVar = (Stage("only", task_type="wait"),)

    @staticmethod
    def plan_only(p: JobParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Plan the task."""
        yield TaskPlan("only")


@task_handler("wait")
def wait(parameters: Nothing, context: TaskContext) -> Nothing:
    """Wait until stopped."""
    context.progress(0.5, "waiting")
    context.sleep(timedelta(days=1))
    return Nothing()


@pytest.fixture
def worker(terrane: MemoryApp) -> Iterator[ThreadPoolExecutor]:
    """A thread that answers bells, in a process whose heart beats five times a second."""
    vars(terrane.app)["registry"] = Registry([WaitingJob], [wait])
    terrane.app.settings.engine.heartbeat_seconds = 0.2
    with ThreadPoolExecutor(1) as pool:
        yield pool
        terrane.app.drain()


def test_a_cancellation_stops_a_handler_at_work(
    client: Client, terrane: MemoryApp, worker: ThreadPoolExecutor
) -> None:
    job_id = client.post("/api/jobs/submit/waiting", {}).json["job_id"]
    working = worker.submit(terrane.work)
    wait_until(lambda: client.get(f"/api/jobs/{job_id}").json["message"] == "waiting", 20)
    progress = client.get(f"/api/jobs/{job_id}").json["progress"]

    cancelled = client.post(f"/api/jobs/{job_id}/cancel")
    working.result(20)

    job = client.get(f"/api/jobs/{job_id}").json
    [task] = client.get(f"/api/jobs/{job_id}/tasks").json["items"]
    assert (cancelled.status, progress) == (202, 0.5)
    assert (job["status"], task["status"]) == ("cancelled", "cancelled")
