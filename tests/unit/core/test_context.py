"""What a running handler is given."""

from collections.abc import Callable, Iterable
from typing import ClassVar

import pytest
from pydantic import BaseModel

from core.declaration import PreviousResults, Stage, TaskPlan
from core.errors import TaskFailed
from core.handler import TaskContext, task_handler
from core.submission import SubmitRequest
from infrastructure.isolation.inline import InlineRunner
from jobs.mixins import JobBaseMixin, JobParameters
from tests.factories.isolated import BROKEN, Answer, Number
from tests.factories.memory_app import memory_app


class Nothing(BaseModel):
    """No parameters."""


class Watching:
    """Whom the handler lets look on."""

    watch: ClassVar[Callable[[], None] | None]


@task_handler("isolate_for_test", max_attempts=1)
def isolate(p: Nothing, context: TaskContext) -> Answer:
    target = "tests.factories.isolated:double"
    return context.isolated(target, Number(value=21), Answer, kind="vector", watch=Watching.watch)


class IsolateJob(JobBaseMixin):
    """Runs the handler once."""

    job_type = "isolate_for_test"
    description = "Double a number in a child."
    parameters_schema = JobParameters
    stages = (Stage("isolate", task_type="isolate_for_test"),)

    @staticmethod
    def plan_isolate(p: JobParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        yield TaskPlan("one")


def fail() -> None:
    raise TaskFailed(BROKEN, "it broke")


@pytest.mark.parametrize(
    ("watch", "status", "code"),
    [(None, "completed", None), (lambda: None, "completed", None), (fail, "failed", BROKEN.code)],
)
def test_what_a_watch_raises_ends_the_isolated_call(
    watch: Callable[[], None] | None, status: str, code: str | None
) -> None:
    Watching.watch = staticmethod(watch) if watch else None
    app = memory_app([IsolateJob], [isolate])
    vars(app.app)["isolation"] = InlineRunner()
    receipt = app.app.submission.submit(SubmitRequest("isolate_for_test", {}))

    app.work()

    job = app.app.jobs.get(receipt.job_id)
    assert job is not None
    assert (job.status, job.error and job.error["code"]) == (status, code)
