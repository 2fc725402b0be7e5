"""What running a claim comes to, whatever its handler does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from core import codes
from core.errors import (
    DeadlineExceeded,
    NativeCrash,
    OutOfMemory,
    Snooze,
    Stopped,
    TaskFailed,
    TransientError,
)
from core.executor import Executed
from core.handler import TaskContext, task_handler
from core.heart import Hold
from core.models.claims import ClaimedTask, TaskEnd
from core.ports.engine import FenceLost
from core.states import Outcome
from core.submission import SubmitRequest
from tests.factories.clock import ManualClock
from tests.factories.memory_app import MemoryApp, memory_app
from tests.factories.moods import MoodJob, MoodParameters, Nothing

SECOND = timedelta(seconds=1)
Act = Callable[[TaskContext], BaseModel]


class Text(BaseModel):
    """A result of any size."""

    text: str


def _app(act: Act) -> MemoryApp:
    @task_handler("mood")
    def handler(parameters: MoodParameters, context: TaskContext) -> BaseModel:
        return act(context)

    return memory_app([MoodJob], [handler], ManualClock())


def _claim(terrane: MemoryApp) -> ClaimedTask:
    """Submit a job, plan it and claim its one task."""
    terrane.app.submission.submit(SubmitRequest("mood", {}))
    [plan] = terrane.claim()
    terrane.app._executor.run(Hold(plan))
    [task] = terrane.claim()
    return task


def _run(act: Act, **changes: object) -> tuple[ClaimedTask, Executed]:
    terrane = _app(act)
    task = replace(_claim(terrane), **changes)
    return task, terrane.app._executor.run(Hold(task))


def _raise(error: Exception) -> Act:
    def act(context: TaskContext) -> BaseModel:
        raise error

    return act


def _end(executed: Executed) -> TaskEnd:
    assert executed.end is not None
    return executed.end


def test_a_handler_that_returns_has_completed_its_task() -> None:
    task, executed = _run(lambda context: Text(text="done"))

    assert executed == Executed(TaskEnd(task.task_id, task.fence, Outcome.COMPLETED, {"text": "done"}))


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (TaskFailed(codes.BLOB_EMPTY, "a.tif has no bytes."), Outcome.FAILED, codes.BLOB_EMPTY),
        (TransientError(codes.STORAGE_UNAVAILABLE, "gone"), Outcome.RETRY, codes.STORAGE_UNAVAILABLE),
        (NativeCrash(codes.NATIVE_CRASH, "signal 11"), Outcome.RETRY, codes.NATIVE_CRASH),
        (OutOfMemory(codes.NATIVE_OUT_OF_MEMORY, "2 GiB"), Outcome.RETRY, codes.NATIVE_OUT_OF_MEMORY),
        (DeadlineExceeded(codes.NATIVE_DEADLINE, "1500 s"), Outcome.FAILED, codes.NATIVE_DEADLINE),
        (ZeroDivisionError("a bug"), Outcome.FAILED, codes.TASK_CRASHED),
    ],
)
def test_what_a_handler_raises_names_the_end(
    error: Exception, outcome: Outcome, code: codes.ErrorCode
) -> None:
    _, executed = _run(_raise(error))

    end = _end(executed)
    assert end.outcome is outcome
    assert end.error is not None
    assert (end.error["code"], end.error["remedy"]) == (code.code, code.remedy)


@pytest.mark.parametrize(
    "error",
    [NativeCrash(codes.NATIVE_CRASH, "signal 11"), OutOfMemory(codes.NATIVE_OUT_OF_MEMORY, "2 GiB")],
)
def test_native_code_that_dies_twice_in_the_same_way_is_final(error: NativeCrash | OutOfMemory) -> None:
    _, again = _run(_raise(error), last_code=error.code.code)
    _, other = _run(_raise(error), last_code="storage.unavailable")

    assert (_end(again).outcome, _end(other).outcome) == (Outcome.FAILED, Outcome.RETRY)


@pytest.mark.parametrize(("attempt", "least", "most"), [(1, 1, 2), (2, 2, 4), (3, 4, 8), (30, 150, 300)])
def test_a_retry_waits_longer_with_every_attempt(attempt: int, least: int, most: int) -> None:
    _, executed = _run(_raise(TransientError(codes.BUS_UNAVAILABLE, "gone")), attempt=attempt)

    assert least * SECOND <= _end(executed).delay <= most * SECOND


def test_a_snooze_says_for_how_long_and_for_what() -> None:
    _, executed = _run(_raise(Snooze(90 * SECOND, "waiting for the pipeline")))

    end = _end(executed)
    assert (end.outcome, end.delay) == (Outcome.SNOOZE, 90 * SECOND)
    assert end.error == {"message": "waiting for the pipeline"}


@pytest.mark.parametrize(
    ("signal", "outcome"),
    [
        (Stopped("stopping"), Outcome.CANCELLED),
        (Stopped("drain"), Outcome.RELEASE),
        (Stopped("lost"), None),
        (FenceLost("t"), None),
    ],
)
def test_a_handler_that_is_stopped_ends_as_the_reason_asks(
    signal: Exception, outcome: Outcome | None
) -> None:
    _, executed = _run(_raise(signal))

    assert (executed.end.outcome if executed.end else None) is outcome
    assert executed.ended is None


@pytest.mark.parametrize(("reason", "outcome"), [("stopping", Outcome.CANCELLED), ("drain", Outcome.RELEASE)])
def test_what_should_not_begin_is_not_begun(reason: str, outcome: Outcome) -> None:
    ran: list[str] = []
    terrane = _app(lambda context: ran.append("ran") or Nothing())
    task = _claim(terrane)

    executed = terrane.app._executor.run(Hold(task, reason=reason))

    assert _end(executed).outcome is outcome
    assert ran == []


def test_a_result_that_is_too_large_fails_the_task() -> None:
    _, executed = _run(lambda context: Text(text="x" * 300_000))

    assert (_end(executed).error or {})["code"] == codes.RESULT_TOO_LARGE.code


def test_parameters_that_do_not_fit_their_handler_fail_the_task() -> None:
    _, executed = _run(lambda context: Nothing(), parameters={"mood": "unheard of"})

    assert _end(executed).outcome is Outcome.FAILED
    assert "unheard of" in (_end(executed).error or {})["message"]


@pytest.mark.parametrize(
    "changes", [{"task_type": "newer"}, {"row_version": 99}, {"kind": "plan", "job_type": "newer"}]
)
def test_what_a_newer_release_made_is_left_to_it_for_a_while(changes: dict[str, object]) -> None:
    _, early = _run(lambda context: Nothing(), **changes)
    _, late = _run(lambda context: Nothing(), **changes, claimed_for=timedelta(hours=2))

    assert (_end(early).outcome, _end(early).delay) == (Outcome.SNOOZE, 60 * SECOND)
    assert _end(late).outcome is Outcome.FAILED
    for executed in (early, late):
        assert (_end(executed).error or {})["code"] == codes.TASK_TYPE_UNKNOWN.code


def test_a_task_that_ended_itself_is_not_ended_again() -> None:
    def act(context: TaskContext) -> BaseModel:
        with context.transaction() as transaction:
            transaction.complete({"n": 1})
        return Nothing()

    _, executed = _run(act)

    assert executed.end is None
    assert executed.ended is not None
    assert [answer.answer for answer in executed.ended.answers] == ["ended"]


@pytest.mark.parametrize("breaks", [False, True])
def test_a_workspace_goes_with_its_task(breaks: bool) -> None:
    seen: list[Path] = []

    def act(context: TaskContext) -> BaseModel:
        (context.workspace / "file").write_text("x")
        seen.append(context.workspace)
        if breaks:
            raise ZeroDivisionError
        return Nothing()

    _run(act)

    assert len(seen) == 1
    assert not seen[0].exists()
