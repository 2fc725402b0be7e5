"""Stops of a job in either store: at every moment, and beside whatever else happens."""

from datetime import timedelta

import pytest

from core.models.claims import FollowUp
from core.ports.engine import JobStopping
from core.states import JobStatus, Outcome, StageStatus
from tests.factories.engine import (
    CANCELLATION,
    FAULT,
    LEASE,
    ONE_STAGE,
    TWO_STAGES,
    EngineStore,
    id_of,
    keys,
    planned,
)

PUT_BACK = [Outcome.RETRY, Outcome.SNOOZE, Outcome.RELEASE, Outcome.RESCUE]


def test_a_job_that_does_not_exist_cannot_be_stopped(store: EngineStore) -> None:
    assert store.stop("nobody") == "unknown"


def test_a_job_that_has_ended_is_not_stopped(store: EngineStore) -> None:
    store.submit()
    store.plan([])

    assert store.stop() == "ended"
    assert store.job().status is JobStatus.COMPLETED


def test_a_queued_job_is_stopped_at_once(store: EngineStore) -> None:
    store.submit(stages=TWO_STAGES)

    answer = store.stop()

    job = store.job()
    assert answer == "stopped"
    assert (job.status, job.error, job.started_at) == (JobStatus.CANCELLED, CANCELLATION, None)
    assert [stage.status for stage in job.stages] == [StageStatus.CANCELLED] * 2
    assert job.progress == 0.0
    assert store.claim() == []
    assert store.events()[2:] == ["job.stopping", "stage.cancelled", "job.cancelled"]


def test_a_job_between_two_stages_is_stopped_at_once(store: EngineStore) -> None:
    [task] = store.start(stages=TWO_STAGES)
    store.end(task)

    assert store.stop() == "stopped"
    assert [s.status for s in store.job().stages] == [StageStatus.COMPLETED, StageStatus.CANCELLED]


def test_a_job_whose_plan_waits_for_another_attempt_is_stopped_at_once(store: EngineStore) -> None:
    store.submit()
    store.end(store.claim_one(), Outcome.RETRY, delay=timedelta(minutes=1))

    assert store.stop() == "stopped"
    assert store.job().status is JobStatus.CANCELLED


def test_a_plan_that_is_being_made_is_not_written(store: EngineStore) -> None:
    store.submit()
    plan = store.claim_one()
    answer = store.stop()

    with pytest.raises(JobStopping):
        store.tasks.end_plan(plan, planned(plan, keys(3)), 1)

    assert answer == "stopping"
    assert [stage.tasks.total for stage in store.job().stages] == [0]
    assert store.end(plan, Outcome.CANCELLED).answer == "ended"
    assert store.job().status is JobStatus.CANCELLED


@pytest.mark.parametrize("outcome", [*PUT_BACK, Outcome.FAILED, Outcome.COMPLETED])
def test_a_plan_ends_its_stopping_job_with_whatever_outcome(store: EngineStore, outcome: Outcome) -> None:
    store.submit(stages=TWO_STAGES)
    plan = store.claim_one()
    store.stop()

    store.end(plan, outcome)

    job = store.job()
    assert (job.status, job.error) == (JobStatus.CANCELLED, CANCELLATION)
    assert [stage.status for stage in job.stages] == [StageStatus.CANCELLED] * 2
    assert store.claim() == []


def test_queued_tasks_are_cancelled_and_the_job_ends_with_the_last(store: EngineStore) -> None:
    store.submit()
    store.plan(keys(5))

    answer = store.jobs.stop(id_of("a"), "cancelled", CANCELLATION, "tester")
    before = store.job()
    follow_ups = store.cancel_queued()

    job = store.job()
    assert answer.answer == "stopping"
    assert list(answer.follow_ups) == [FollowUp("cancel", id_of("a"), 1)]
    assert (before.status, before.stopping, before.stop_by) == (JobStatus.PROCESSING, True, "tester")
    assert (job.status, job.stopping, follow_ups) == (JobStatus.CANCELLED, False, [])
    assert (job.stages[0].tasks.cancelled, job.stages[0].tasks.queued) == (5, 0)


def test_cancelling_goes_on_behind_the_last_key(store: EngineStore) -> None:
    store.submit()
    store.plan(keys(5))
    store.stop()

    first, _ = store.jobs.cancel_queued(id_of("a"), 1, "", 2)
    second, _ = store.jobs.cancel_queued(id_of("a"), 1, str(first), 2)
    third, _ = store.jobs.cancel_queued(id_of("a"), 1, str(second), 2)

    assert (first, second, third) == ("00001", "00003", None)
    assert store.job().status is JobStatus.CANCELLED


def test_cancelling_in_batches_reaches_an_end_that_is_a_whole_batch(store: EngineStore) -> None:
    store.submit()
    store.plan(keys(4))
    store.stop()

    store.cancel_queued(limit=2)

    assert store.job().status is JobStatus.CANCELLED


def test_nothing_is_cancelled_of_a_job_that_goes_on(store: EngineStore) -> None:
    store.submit()
    store.plan(keys(3))

    assert store.jobs.cancel_queued(id_of("a"), 1, "", 100) == (None, ())
    assert store.job().stages[0].tasks.queued == 3


def test_a_late_cancel_batch_does_not_touch_the_next_revision(store: EngineStore) -> None:
    store.submit()
    store.stop()
    store.submit()
    store.plan(keys(3))
    store.stop()

    store.cancel_queued(revision=1)

    assert store.job().stages[0].tasks.queued == 3


def test_what_runs_ends_by_itself_and_the_last_ends_the_job(store: EngineStore) -> None:
    running, *others = store.start(keys(3))
    store.stop()
    store.cancel_queued()
    runnable = store.claim()
    for task in others:
        store.end(task, Outcome.CANCELLED)
    before = store.job()

    store.end(running)

    job = store.job()
    assert runnable == []
    assert before.stopping
    assert (job.status, job.error) == (JobStatus.CANCELLED, CANCELLATION)
    assert (job.stages[0].tasks.completed, job.stages[0].tasks.cancelled) == (1, 2)


@pytest.mark.parametrize("outcome", PUT_BACK)
def test_nothing_goes_back_to_the_queue_of_a_stopping_job(store: EngineStore, outcome: Outcome) -> None:
    [task] = store.start()
    store.stop()

    answer = store.end(task, outcome)

    assert (answer.answer, answer.outcome) == ("ended", "cancelled")
    assert store.statuses([task]) == ["cancelled"]
    assert store.job().status is JobStatus.CANCELLED


def test_a_dead_worker_s_task_of_a_stopping_job_is_cancelled(store: EngineStore) -> None:
    [task] = store.start()
    store.stop()
    store.advance(2 * LEASE)

    store.tasks.rescue(10)

    assert store.statuses([task]) == ["cancelled"]
    assert store.job().status is JobStatus.CANCELLED


def test_a_task_that_is_claimed_beside_the_stop_knows_of_it(store: EngineStore) -> None:
    store.submit()
    store.plan(["k"])
    store.stop()

    task = store.claim_one()

    assert task.stopping
    assert store.cancel_queued() == []
    assert store.statuses([task]) == ["processing"]


def test_no_stage_begins_behind_a_stop(store: EngineStore) -> None:
    [task] = store.start(stages=TWO_STAGES)
    store.stop()

    store.end(task)

    job = store.job()
    assert [stage.status for stage in job.stages] == [StageStatus.CANCELLED] * 2
    assert job.status is JobStatus.CANCELLED
    assert store.claim() == []


def test_a_second_stop_changes_nothing(store: EngineStore) -> None:
    [task] = store.start()
    store.stop()
    before = store.job()

    again = store.stop(to="failed")

    assert again == "already"
    assert store.job() == before
    store.end(task)
    assert store.job().status is JobStatus.CANCELLED


def test_a_job_can_be_stopped_as_failed(store: EngineStore) -> None:
    [task] = store.start()
    store.stop(to="failed")
    store.end(task)

    assert (store.job().status, store.job().stages[0].status) == (JobStatus.FAILED, StageStatus.FAILED)


def test_a_final_failure_stops_the_job(store: EngineStore) -> None:
    bad, running, queued = store.start(keys(3))
    store.end(queued, Outcome.RELEASE)
    ended = store.end_all([bad], Outcome.FAILED)
    during = store.job()
    store.cancel_queued()

    store.end(running)

    job = store.job()
    assert list(ended.follow_ups) == [FollowUp("cancel", id_of("a"), 1)]
    assert (during.status, during.stopping, during.stop_to) == (JobStatus.PROCESSING, True, "failed")
    assert (job.status, job.error) == (JobStatus.FAILED, {**FAULT, "task_id": bad.task_id})
    assert store.statuses([bad, running, queued]) == ["failed", "completed", "cancelled"]


def test_a_failure_beside_a_stop_does_not_change_what_it_stops_to(store: EngineStore) -> None:
    bad, good = store.start(keys(2))
    store.stop()
    store.end(bad, Outcome.FAILED)
    store.end(good)

    assert (store.job().status, store.job().error) == (JobStatus.CANCELLED, CANCELLATION)


def test_a_failure_and_a_retry_in_one_call_leave_nothing_behind(store: EngineStore) -> None:
    bad, again = store.start(keys(2))
    store.end_all([bad], Outcome.FAILED)
    store.end(again, Outcome.RETRY)

    assert store.statuses([bad, again]) == ["failed", "cancelled"]
    assert store.job().status is JobStatus.FAILED


def test_a_stop_ends_a_job_that_nothing_else_would_end(store: EngineStore) -> None:
    store.start(stages=ONE_STAGE)
    store.tamper.close_stage(id_of("a"))

    answer = store.stop()

    assert answer == "stopped"
    assert store.job().status is JobStatus.CANCELLED


def test_a_stop_with_a_dirty_job_leaves_its_clean_up_to_a_task(store: EngineStore) -> None:
    store.submit(has_intermediates=True)

    answer = store.jobs.stop(id_of("a"), "cancelled", CANCELLATION, "tester")

    assert list(answer.follow_ups) == [FollowUp("ring", "light", 1)]
    assert store.job().cleanup == "pending"
    assert store.claim_one().kind == "cleanup"
    assert store.job().status is JobStatus.CANCELLED
