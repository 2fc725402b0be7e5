"""Claims: what a worker takes, in which order, and under which fence."""

from datetime import timedelta

import pytest

from core.declaration import Stage
from core.states import JobStatus, Outcome, TaskStatus
from tests.factories.engine import LEASE, ONE_STAGE, EngineStore, id_of, keys

SECOND = timedelta(seconds=1)


def test_the_first_claim_of_a_job_begins_it(store: EngineStore) -> None:
    store.submit()
    before = store.job()

    plan = store.claim_one()

    after = store.job()
    assert (before.status, before.started_at) == (JobStatus.QUEUED, None)
    assert after.status is JobStatus.PROCESSING
    assert after.started_at is not None
    assert (plan.kind, plan.stage, plan.job_type, plan.attempt, plan.fence) == ("plan", 1, "test_job", 1, 1)
    assert store.events() == ["job.queued", "stage.planning", "job.processing"]


def test_a_claim_carries_what_a_worker_must_know(store: EngineStore) -> None:
    store.submit()
    store.plan(["k"], give_up_after=timedelta(hours=2), max_attempts=7)

    task = store.claim_one()

    record = store.task(task)
    assert (task.job_id, task.revision, task.key, task.task_type) == (id_of("a"), 1, "k", "work_type")
    assert (task.max_attempts, task.parameters, task.lane) == (7, {"key": "k"}, "light")
    assert task.claimed_for == timedelta(0)
    assert timedelta(hours=1, minutes=59) < task.time_left <= timedelta(hours=2)
    assert not task.stopping
    assert task.last_code is None
    assert (record.status, record.worker, record.attempt) == (TaskStatus.PROCESSING, "worker", 1)
    assert record.lease_until is not None
    assert record.heartbeat_at is not None
    assert record.lease_until - record.heartbeat_at == LEASE


def test_a_task_is_claimed_once(store: EngineStore) -> None:
    store.submit()
    store.plan(keys(3))

    first = store.claim(2)
    second = store.claim(2)
    third = store.claim(2)

    assert [task.key for task in first] == ["00000", "00001"]
    assert [task.key for task in second] == ["00002"]
    assert third == []


def test_nothing_is_claimed_from_an_empty_lane(store: EngineStore) -> None:
    store.submit()

    assert store.claim(lane="heavy") == []


def test_lanes_are_apart(store: EngineStore) -> None:
    store.submit()
    store.plan(["k"], lane="heavy")

    assert store.claim(lane="light") == []
    assert [task.key for task in store.claim(lane="heavy")] == ["k"]


def test_an_urgent_job_goes_first(store: EngineStore) -> None:
    store.submit("usual", priority=5)
    store.submit("late", priority=0)
    store.submit("urgent", priority=9)

    claimed = store.claim()

    assert [task.job_id for task in claimed] == [id_of("urgent"), id_of("usual"), id_of("late")]
    assert [task.rank for task in claimed] == [0, 4, 9]


def test_tasks_of_a_job_have_its_priority(store: EngineStore) -> None:
    store.submit("urgent", priority=9)
    store.plan(["k"])

    assert store.claim_one().rank == 0


def test_a_claim_may_begin_somewhere_in_the_order(store: EngineStore) -> None:
    store.submit()
    store.plan(keys(4), pace=SECOND)
    first, second = store.claim(2)
    store.end(first, Outcome.RELEASE)

    behind = store.claim(1, start=(second.rank, second.turn))
    before = store.claim(1)

    assert [task.key for task in behind] == ["00002"]
    assert [task.key for task in before] == ["00000"]


def test_what_is_to_run_later_is_not_claimed_now(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.SNOOZE, delay=timedelta(seconds=60))

    early = store.claim()
    store.advance(timedelta(seconds=61))
    again = store.claim()

    assert early == []
    assert [found.key for found in again] == ["k"]


def test_a_task_that_was_put_back_for_later_waits_for_its_turn_behind_the_others(store: EngineStore) -> None:
    first, *_ = store.start(keys(1))
    store.end(first, Outcome.SNOOZE, delay=timedelta(seconds=60))
    store.advance(timedelta(seconds=30))
    store.submit("b")
    store.advance(timedelta(seconds=60))

    order = [task.job_id for task in store.claim()]

    assert order == [id_of("b"), id_of("a")]


@pytest.mark.parametrize("outcome", [Outcome.RELEASE, Outcome.RETRY])
def test_a_new_claim_has_a_new_fence(store: EngineStore, outcome: Outcome) -> None:
    [first] = store.start()
    store.end(first, outcome)
    store.advance(SECOND)

    second = store.claim_one()

    assert second.task_id == first.task_id
    assert second.fence > first.fence + 1


def test_a_repeated_call_finds_what_the_first_took(store: EngineStore) -> None:
    store.submit("a")
    store.submit("b")
    store.submit("c")
    lost = store.request(2)
    taken = store.tasks.claim(lost)
    store.claim(1)

    found = store.tasks.claimed(lost)

    assert [task.task_id for task in found] == [task.task_id for task in taken]
    assert [task.fence for task in found] == [task.fence for task in taken]


def test_a_claim_that_ended_is_not_found_again(store: EngineStore) -> None:
    store.submit()
    lost = store.request()
    [task] = store.tasks.claim(lost)
    store.end(task, Outcome.RELEASE)

    assert list(store.tasks.claimed(lost)) == []
    assert list(store.tasks.claimed(store.request())) == []


def test_a_claim_tells_with_what_the_one_before_ended_and_since_when_it_is_tried(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.RETRY)
    store.advance(timedelta(minutes=10))

    again = store.claim_one()

    assert again.last_code == "test.fault"
    assert again.attempt == 2
    assert timedelta(minutes=10) <= again.claimed_for < timedelta(minutes=11)


def test_nothing_is_claimed_while_the_engine_is_paused(store: EngineStore) -> None:
    store.submit()
    store.tasks.pause("maintenance", "tester", None)

    assert store.claim() == []
    assert store.tasks.runnable("light", 10) == 0
    assert store.tasks.silent_lanes() == []
    state = store.tasks.pause_state()
    assert (state.paused, state.until, state.reason, state.by) == (True, None, "maintenance", "tester")


def test_work_goes_on_after_the_pause(store: EngineStore) -> None:
    store.submit()
    store.tasks.pause("maintenance", "tester", None)

    store.tasks.resume()

    assert len(store.claim()) == 1
    assert not store.tasks.pause_state().paused


def test_a_pause_ends_by_itself(store: EngineStore) -> None:
    store.submit()
    [now] = [store.job().created_at]
    store.tasks.pause("maintenance", "tester", now + timedelta(minutes=10))

    during = store.claim()
    store.advance(timedelta(minutes=11))

    assert during == []
    assert not store.tasks.pause_state().paused
    assert len(store.claim()) == 1


def test_what_runs_may_end_while_the_engine_is_paused(store: EngineStore) -> None:
    [task] = store.start()
    store.tasks.pause("maintenance", "tester", None)

    assert store.end(task).answer == "ended"
    assert store.job().status is JobStatus.COMPLETED


def test_runnable_tasks_are_counted_up_to_a_limit(store: EngineStore) -> None:
    store.submit()
    store.plan(keys(5))
    [task] = store.claim(1)
    store.end(task, Outcome.SNOOZE, delay=timedelta(minutes=1))

    assert store.tasks.runnable("light", 10) == 4
    assert store.tasks.runnable("light", 3) == 3
    assert store.tasks.runnable("heavy", 3) == 0


def test_a_job_that_never_ran_is_not_begun_by_its_clean_up(store: EngineStore) -> None:
    [task] = store.start(stages=(Stage("only", "work_type", on_task_failure="stop"),), name="dirty")
    store.end(task, Outcome.FAILED)
    store.submit("dirty", ONE_STAGE)

    assert store.job("dirty").status is JobStatus.QUEUED
