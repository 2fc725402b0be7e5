import errno
import os
from collections.abc import Iterable
from typing import ClassVar

import pytest
from pydantic import BaseModel

from core.declaration import PreviousResults, Stage, TaskPlan
from core.handler import TaskContext, task_handler
from core.submission import SubmitRequest
from jobs.mixins import JobBaseMixin, JobParameters
from tests.factories.memory_app import memory_app


class DiskParameters(JobParameters):
    """What the disk says."""

    number: int


class Nothing(BaseModel):
    """No result to speak of."""


class DiskJob(JobBaseMixin):
    """One task that writes to its workspace."""

    job_type = "disk"
    description = "One task that writes to its workspace."
    parameters_schema = DiskParameters
    stages: ClassVar = (Stage("only", task_type="disk"),)

    @staticmethod
    def plan_only(p: DiskParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Plan the task."""
        yield TaskPlan("only", p.model_dump())


@task_handler("disk")
def write_to_disk(parameters: DiskParameters, context: TaskContext) -> Nothing:
    """Fail as the system call would."""
    raise OSError(parameters.number, os.strerror(parameters.number))


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        (errno.ENOSPC, "queued", "workspace.full"),
        (errno.EDQUOT, "queued", "workspace.full"),
        (errno.EFBIG, "queued", "workspace.full"),
        (errno.EIO, "failed", "task.unexpected_error"),
    ],
)
def test_a_task_that_finds_the_disk_full_is_tried_again(number: int, status: str, code: str) -> None:
    terrane = memory_app([DiskJob], [write_to_disk])
    receipt = terrane.app.submission.submit(SubmitRequest("disk", {"number": number}))

    terrane.work()

    [task] = [task for task in terrane.state.tasks.values() if task.kind == "work"]
    assert (str(task.status), task.error["code"], task.attempt) == (status, code, 1)
    assert receipt.created
