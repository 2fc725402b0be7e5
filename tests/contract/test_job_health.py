"""job_health: every state broken by hand comes right, in either store, and what is right stays."""

from datetime import timedelta

import pytest

from core.declaration import Stage
from core.states import JobStatus, Outcome, StageStatus, TaskStatus
from tests.factories.engine import CANCELLATION, FAULT, TWO_STAGES, EngineStore, id_of, keys
from tests.factories.janitors import Sweeper

A = id_of("a")
LONG = timedelta(minutes=2)
GOES_ON = (Stage("first", "work_type", "fan_out", on_task_failure="continue"), TWO_STAGES[1])


@pytest.fixture
def sweeper(store: EngineStore) -> Sweeper:
    return Sweeper(store)


def test_a_healthy_job_is_left_alone(store: EngineStore, sweeper: Sweeper) -> None:
    done, *_ = store.start(keys(3), stages=TWO_STAGES)
    store.end(done)
    store.advance(LONG)
    before = (store.job(), store.events())

    run = sweeper.run("job_health")

    assert (run.scanned, run.fixed, run.actions) == (1, 0, ())
    assert (store.job(), store.events()) == before


@pytest.mark.parametrize("columns", [{"open": 7}, {"open": 0, "completed": 3}, {"failed": 2, "open": 1}])
def test_counters_that_disagree_with_the_tasks_are_set_by_them(
    store: EngineStore, sweeper: Sweeper, columns: dict[str, int]
) -> None:
    done, *rest = store.start(keys(3))
    store.end(done)
    store.wreckage.change_slot(A, 1, 0, **columns)
    store.advance(LONG)

    actions = sweeper.actions("job_health")

    assert actions == {"counted again": [A]}
    assert store.wreckage.slots(A, 1) == [{"open": 2, "completed": 1, "failed": 0, "cancelled": 0}]
    assert store.wreckage.open_slots(A, 1) == 1
    store.end_all(rest)
    assert store.job().status is JobStatus.COMPLETED


def test_counters_of_several_slots_are_set_one_by_one(store: EngineStore, sweeper: Sweeper) -> None:
    store.start(keys(4), slots=2)
    store.wreckage.change_slot(A, 1, 0, open=1)
    store.wreckage.change_slot(A, 1, 1, open=3)
    store.wreckage.change_stage(A, 1, open_slots=1)
    store.advance(LONG)

    sweeper.run("job_health")

    assert [slot["open"] for slot in store.wreckage.slots(A, 1)] == [2, 2]
    assert store.wreckage.open_slots(A, 1) == 2


def test_a_stage_that_is_over_moves_on_and_keeps_its_results(store: EngineStore, sweeper: Sweeper) -> None:
    first, second = store.start(keys(2), stages=TWO_STAGES)
    store.end(first)
    completed = {"status": "completed", "result": {"key": second.key}, "worker": None, "lease_until": None}
    store.wreckage.change_task(second.task_id, **completed, completed_at=store.job().updated_at)
    store.advance(LONG)

    actions = sweeper.actions("job_health")

    job = store.job()
    assert actions == {"moved on": [A]}
    assert (job.stage, job.stages[0].status, job.stages[1].status) == (
        2,
        StageStatus.COMPLETED,
        StageStatus.PLANNING,
    )
    results = store.tasks.results(A, 1, 1, "", 10)
    assert [result.result for result in results] == [{"key": "00000"}, {"key": "00001"}]
    assert store.claim_one().kind == "plan"
    assert [message.body for message in sweeper.queue.peek("light", 10)]


def test_a_last_stage_that_is_over_completes_its_job(store: EngineStore, sweeper: Sweeper) -> None:
    [task] = store.start()
    completed = {"status": "completed", "result": {"n": 1}, "worker": None, "lease_until": None}
    store.wreckage.change_task(task.task_id, **completed, completed_at=store.job().updated_at)
    store.advance(LONG)

    sweeper.run("job_health")

    assert (store.job().status, store.job().result) == (JobStatus.COMPLETED, {"n": 1})


def test_a_completed_stage_whose_next_one_never_began(store: EngineStore, sweeper: Sweeper) -> None:
    store.start(stages=TWO_STAGES)
    for task in store.claim():
        store.end(task)
    store.wreckage.change_stage(A, 1, status="completed", completed_at=store.job().updated_at, open_slots=0)
    store.advance(LONG)

    actions = sweeper.actions("job_health")

    assert actions == {"moved on": [A]}
    assert store.job().stages[1].status is StageStatus.PLANNING


def test_a_failed_task_reaches_its_job(store: EngineStore, sweeper: Sweeper) -> None:
    broken, running, *_ = store.start(keys(4))
    failed = {"status": "failed", "error": FAULT, "worker": None, "lease_until": None}
    store.wreckage.change_task(broken.task_id, **failed, completed_at=store.job().updated_at)
    store.advance(LONG)

    actions = sweeper.actions("job_health")

    job = store.job()
    assert actions == {"stopped for its failed task": [A]}
    assert (job.stop_to, job.stop_error) == ("failed", FAULT | {"task_id": broken.task_id})
    assert store.beat(running)[0].stopping


def test_a_job_without_open_tasks_fails_with_its_failed_task(store: EngineStore, sweeper: Sweeper) -> None:
    [task] = store.start()
    failed = {"status": "failed", "error": FAULT, "worker": None, "lease_until": None}
    store.wreckage.change_task(task.task_id, **failed, completed_at=store.job().updated_at)
    store.advance(LONG)

    sweeper.run("job_health")

    assert (store.job().status, store.job().error) == (JobStatus.FAILED, FAULT | {"task_id": task.task_id})


def test_a_task_that_waits_for_its_next_attempt_fails_nothing(store: EngineStore, sweeper: Sweeper) -> None:
    first, *_ = store.start(keys(2))
    store.end(first, Outcome.RETRY, delay=timedelta(hours=1))
    store.advance(LONG)

    assert sweeper.run("job_health").fixed == 0
    assert store.task(first).status is TaskStatus.QUEUED


def test_a_failure_that_its_stage_goes_on_from_stops_nothing(store: EngineStore, sweeper: Sweeper) -> None:
    first, *_ = store.start(keys(2), stages=GOES_ON)
    store.end(first, Outcome.FAILED)
    store.advance(LONG)

    assert sweeper.run("job_health").fixed == 0
    assert not store.job().stopping


def test_an_interrupted_stop_is_repeated(store: EngineStore, sweeper: Sweeper) -> None:
    store.submit()
    store.plan(keys(5))
    running = store.claim_one()
    store.jobs.stop(A, "cancelled", CANCELLATION, "tester")
    store.advance(LONG)

    sweeper.run("job_health")
    queued = store.job().stages[0].tasks.queued
    store.end(running, Outcome.CANCELLED)

    assert queued == 0
    assert store.job().status is JobStatus.CANCELLED


def test_a_stop_whose_last_task_ended_unseen_is_brought_to_its_end(
    store: EngineStore, sweeper: Sweeper
) -> None:
    store.submit()
    store.plan(keys(2))
    store.wreckage.change_job(A, stop_to="cancelled", stop_error=CANCELLATION, stop_at=store.job().updated_at)
    store.tamper.close_stage(A)
    store.advance(LONG)

    actions = sweeper.actions("job_health")

    assert actions == {"stopped to the end": [A]}
    assert (store.job().status, store.job().error) == (JobStatus.CANCELLED, CANCELLATION)


def test_tasks_that_somebody_deleted_fail_the_job_and_say_so(store: EngineStore, sweeper: Sweeper) -> None:
    lost, kept = store.start(keys(2))
    store.wreckage.lose_task(lost.task_id)
    store.advance(LONG)

    sweeper.run("job_health")
    store.end(kept)

    job = store.job()
    message = "Stage 1 has 1 of the 2 tasks that were planned."
    assert (job.status, job.error) == (JobStatus.FAILED, {"code": "job.tasks_missing", "message": message})


def test_nothing_younger_than_the_minimum_age_is_touched(store: EngineStore, sweeper: Sweeper) -> None:
    store.start(keys(2))
    store.tamper.close_stage(A)

    assert sweeper.run("job_health").fixed == 0
    assert store.job().status is JobStatus.PROCESSING


def test_a_second_run_finds_nothing_left_to_do(store: EngineStore, sweeper: Sweeper) -> None:
    store.start(keys(2))
    store.tamper.close_stage(A)
    store.advance(LONG)

    assert sweeper.run("job_health").fixed == 1
    assert sweeper.run("job_health").fixed == 0


def test_what_was_done_stands_in_the_history_of_the_job(store: EngineStore, sweeper: Sweeper) -> None:
    store.start(keys(2))
    store.tamper.close_stage(A)
    store.advance(LONG)

    sweeper.run("job_health")

    [event] = [e for e in store.jobs.events(A, 100, 0) if e.event == "mended"]
    assert (event.actor, event.reason) == ("janitor", "moved on")
