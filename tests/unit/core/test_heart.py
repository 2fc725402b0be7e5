"""Hearts beat beside long calls, are missed when they cannot, and bring bad news in time."""

import ctypes
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from core.errors import Stopped
from core.handler import TaskContext
from core.models.claims import ClaimedTask, ClaimRequest
from core.ports.blobs import BlobRef, WriteOptions
from core.ports.effects import Artifact
from core.states import JobStatus
from core.submission import SubmitRequest
from infrastructure.clock import SystemClock
from tests.factories.clock import ManualClock
from tests.factories.hearts import Ward
from tests.factories.memory_app import MemoryApp
from tests.factories.one_task import acting
from tests.fixtures.processes import wait_until

CALL = timedelta(seconds=0.6)
LEASE = timedelta(seconds=0.2)
SILVER = "silver-cogs"


def claim(ward: Ward) -> ClaimedTask:
    request = ClaimRequest("light", 1, "worker", "claim", ward.lease)
    [task] = ward.tasks.claim(request)
    return task


def during(call: Callable[[int], int]) -> tuple[datetime, datetime]:
    """Run C's usleep, and return when it began and ended."""
    start = SystemClock().now()
    call(int(CALL.total_seconds() * 1_000_000))
    return start, SystemClock().now()


def test_the_lease_is_renewed_while_native_code_lets_other_threads_run() -> None:
    ward = Ward(timedelta(minutes=1))
    task = claim(ward)
    beats = 0

    with ward.beating(task):
        # A machine that is busy with other things may leave no time for beats in one of the calls.
        for _ in range(20):
            start, end = during(ctypes.CDLL(None).usleep)
            beats = ward.beats_between(start, end)
            if beats > 2:
                break

    lease_until = ward.state.tasks[task.task_id].lease_until
    assert beats > 2
    assert lease_until is not None
    assert lease_until > start + ward.lease


def test_a_call_that_lets_no_thread_run_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    ward = Ward(LEASE)
    task = claim(ward)

    with ward.beating(task), caplog.at_level(logging.WARNING, "core.heart"):
        wait_until(lambda: bool(ward.tasks.beaten_at), 10)
        start, end = during(ctypes.PyDLL(None).usleep)
        wait_until(lambda: "heart stalled" in caplog.messages, 10)

    # One may come just before the call, and one just after it.
    assert ward.beats_between(start, end) <= 2
    stalls = [record for record in caplog.records if record.message == "heart stalled"]
    assert {tuple(vars(record)["tasks"]) for record in stalls} == {(task.task_id,)}


def test_a_worker_that_was_silent_for_too_long_is_told_that_its_task_is_anothers() -> None:
    ward = Ward(LEASE)
    task = claim(ward)
    hold = ward.heart.hold(task)
    during(ctypes.PyDLL(None).usleep)

    rescued = ward.tasks.rescue(10)
    ward.heart.beat()

    assert [answer.task_id for answer in rescued.answers] == [task.task_id]
    with pytest.raises(Stopped, match="lost"):
        hold.check()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def lose_the_lease(terrane: MemoryApp, clock: ManualClock) -> None:
    """Let the worker be silent for so long that the watchdog takes its task."""
    clock.advance(timedelta(minutes=1))
    terrane.app.janitor.run("task_watchdog", "tester")


def publish_a_blob(terrane: MemoryApp, context: TaskContext) -> None:
    file = context.workspace / "cog.tif"
    file.write_bytes(b"12345")
    context.publish_blob(file, BlobRef(SILVER, "a_cog.tif"), WriteOptions())


def complete_in_a_transaction(terrane: MemoryApp, context: TaskContext) -> None:
    with context.transaction() as transaction:
        transaction.complete({})


def look_up(terrane: MemoryApp, context: TaskContext) -> None:
    terrane.app.heart.beat()
    context.check()


@pytest.mark.parametrize("write", [publish_a_blob, complete_in_a_transaction, look_up])
def test_a_worker_that_lost_its_lease_stops_before_it_writes(
    clock: ManualClock, write: Callable[[MemoryApp, TaskContext], None]
) -> None:
    told: list[object] = []

    def act(context: TaskContext) -> None:
        first = not told
        told.append([blob.ref.name for blob in terrane.blobs.list_blobs(SILVER)])
        if first:
            lose_the_lease(terrane, clock)
        write(terrane, context)
        told.append("written")

    terrane = acting(act, clock)
    terrane.blobs.ensure_container(SILVER)
    job_id = terrane.app.submission.submit(SubmitRequest("one_task", {})).job_id

    terrane.work()

    job = terrane.app.jobs.get(job_id)
    assert job is not None
    assert job.status is JobStatus.COMPLETED
    assert told == [[], [], "written"]


def test_no_intent_is_recorded_for_a_worker_that_lost_its_lease(clock: ManualClock) -> None:
    seen: list[str] = []

    def act(context: TaskContext) -> None:
        if not seen:
            lose_the_lease(terrane, clock)
            seen.append("lost")
            effects = terrane.app.effects
            effects.begin_artifact(context.task, Artifact("blob", "silver-cogs/a.tif", "published"))
            seen.append("written")

    terrane = acting(act, clock)
    terrane.app.submission.submit(SubmitRequest("one_task", {}))

    terrane.work()

    assert seen == ["lost"]
    assert terrane.state.artifacts == []


def test_a_cancellation_reaches_a_running_handler_within_two_heartbeats(clock: ManualClock) -> None:
    beats: list[str] = []

    def act(context: TaskContext) -> None:
        job_id = context.task.job_id
        follow_ups = terrane.app.jobs.stop(job_id, "cancelled", {"code": "job.cancelled"}, "ada").follow_ups
        terrane.app.bells.follow(follow_ups)
        while len(beats) < 10:
            terrane.app.heart.beat()
            beats.append("beat")
            context.progress(len(beats) / 10, "at work")

    terrane = acting(act, clock)
    job_id = terrane.app.submission.submit(SubmitRequest("one_task", {})).job_id

    terrane.work()

    job = terrane.app.jobs.get(job_id)
    assert job is not None
    assert job.status is JobStatus.CANCELLED
    assert len(beats) <= 2


def test_progress_and_message_of_a_handler_go_with_the_next_heartbeat(clock: ManualClock) -> None:
    told: list[tuple[float | None, str | None]] = []

    def act(context: TaskContext) -> None:
        context.progress(0.25, "a quarter")
        terrane.app.heart.beat()
        record = terrane.app.tasks.get(context.task.task_id)
        assert record is not None
        told.append((record.progress, record.message))

    terrane = acting(act, clock)
    terrane.app.submission.submit(SubmitRequest("one_task", {}))

    terrane.work()

    assert told == [(0.25, "a quarter")]
