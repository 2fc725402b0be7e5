"""What a running handler is given."""

from collections.abc import Callable

import pytest

from core.errors import TaskFailed
from core.handler import TaskContext
from core.submission import SubmitRequest
from infrastructure.isolation.inline import InlineRunner
from tests.factories.isolated import BROKEN, Answer, Number
from tests.factories.one_task import acting


def fail() -> None:
    raise TaskFailed(BROKEN, "it broke")


@pytest.mark.parametrize(
    ("watch", "status", "code"),
    [(None, "completed", None), (lambda: None, "completed", None), (fail, "failed", BROKEN.code)],
)
def test_what_a_watch_raises_ends_the_isolated_call(
    watch: Callable[[], None] | None, status: str, code: str | None
) -> None:
    def act(context: TaskContext) -> None:
        target = "tests.factories.isolated:double"
        answer = context.isolated(target, Number(value=21), Answer, kind="vector", watch=watch)
        assert answer.value == 42

    app = acting(act, max_attempts=1)
    vars(app.app)["isolation"] = InlineRunner()
    receipt = app.app.submission.submit(SubmitRequest("one_task", {}))

    app.work()

    job = app.app.jobs.get(receipt.job_id)
    assert job is not None
    assert (job.status, job.error and job.error["code"]) == (status, code)
