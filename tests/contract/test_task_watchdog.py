"""task_watchdog: silent workers, overdue tasks, unserved lanes and dead letters, in either store."""

from datetime import timedelta

import pytest

from core.ports.queue import BusMessage
from core.states import JobStatus, Outcome, TaskStatus
from tests.factories.engine import FAULT, LEASE, MAX_RESCUES, EngineStore, id_of, keys
from tests.factories.janitors import Sweeper

A = id_of("a")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def sweeper(store: EngineStore) -> Sweeper:
    return Sweeper(store)


def test_a_task_whose_worker_beats_is_left_alone(store: EngineStore, sweeper: Sweeper) -> None:
    [task] = store.start()
    store.advance(LEASE - MINUTE / 2)
    store.beat(task)
    store.advance(LEASE - MINUTE / 2)

    assert sweeper.run("task_watchdog").fixed == 0
    assert store.task(task).status is TaskStatus.PROCESSING


def test_a_task_of_a_silent_worker_is_queued_again_and_its_lane_is_rung(
    store: EngineStore, sweeper: Sweeper
) -> None:
    first, second = store.start(keys(2))
    store.end(second)
    store.advance(LEASE + MINUTE)

    actions = sweeper.actions("task_watchdog")

    assert actions["rescued"] == [first.task_id]
    assert store.task(first).status is TaskStatus.QUEUED
    assert len(sweeper.queue.peek("light", 10)) >= 1
    assert store.end(first).outcome == "rescue"
    store.end(store.claim_one())
    assert store.job().status is JobStatus.COMPLETED


def test_a_task_whose_workers_all_died_fails_and_says_so(store: EngineStore, sweeper: Sweeper) -> None:
    store.start()
    for _ in range(MAX_RESCUES):
        store.advance(LEASE + MINUTE)
        sweeper.run("task_watchdog")
        store.claim_one()
    store.advance(LEASE + MINUTE)

    actions = sweeper.actions("task_watchdog")

    job = store.job()
    assert list(actions) == ["failed past their limits"]
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error["code"] == "task.worker_lost"


def test_a_silent_task_of_a_stopping_job_is_cancelled_and_ends_it(
    store: EngineStore, sweeper: Sweeper
) -> None:
    store.start()
    store.stop()
    store.advance(LEASE + MINUTE)

    assert list(sweeper.actions("task_watchdog")) == ["cancelled with their jobs"]
    assert store.job().status is JobStatus.CANCELLED


def test_a_queued_task_past_its_deadline_fails(store: EngineStore, sweeper: Sweeper) -> None:
    [task] = store.start()
    store.end(task, Outcome.RETRY, delay=timedelta(days=2), error=FAULT)
    store.advance(timedelta(hours=25))

    sweeper.run("task_watchdog")

    job = store.job()
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error["code"] == "task.deadline"
    assert FAULT["message"] in job.error["message"]


def test_work_that_nobody_takes_is_rung_for_and_what_runs_later_is_not(
    store: EngineStore, sweeper: Sweeper
) -> None:
    store.submit("a")
    store.submit("b")
    store.advance(6 * MINUTE)

    run = sweeper.run("task_watchdog")

    assert run.actions == ({"action": "rang", "number": 2, "items": [], "lane": "light"},)
    assert len(sweeper.queue.peek("light", 10)) == 2
    assert list(sweeper.queue.peek("heavy", 10)) == []


def test_nobody_is_rung_for_while_the_engine_is_paused(store: EngineStore, sweeper: Sweeper) -> None:
    store.submit()
    store.tasks.pause("maintenance", "tester", None)
    store.advance(6 * MINUTE)

    assert sweeper.run("task_watchdog").fixed == 0


def test_nobody_is_rescued_right_after_an_outage(store: EngineStore, sweeper: Sweeper) -> None:
    store.start()
    store.advance(LEASE + MINUTE)
    store.tasks.defer_rescue(timedelta(seconds=15))

    assert sweeper.run("task_watchdog").fixed == 0


def test_many_silent_tasks_are_rescued_in_batches(store: EngineStore, sweeper: Sweeper) -> None:
    store.start(keys(120))
    store.advance(LEASE + MINUTE)

    run = sweeper.run("task_watchdog")

    [action] = [action for action in run.actions if action["action"] == "rescued"]
    assert (action["number"], len(action["items"])) == (120, 100)
    assert len(store.claim(200)) == 120


def test_dead_bells_are_removed_and_what_is_no_bell_is_recorded(sweeper: Sweeper) -> None:
    for lane, body in (("light", '{"lane": "light"}'), ("heavy", "gibberish")):
        sweeper.queue.give_back(lane, BusMessage(1, body, None, None, delivery_count=10))

    run = sweeper.run("task_watchdog")

    assert run.actions == (
        {"action": "removed dead bells", "number": 1, "items": [], "lane": "light"},
        {
            "action": "removed messages that are no bells",
            "number": 1,
            "items": ["gibberish"],
            "lane": "heavy",
        },
    )
    assert sweeper.run("task_watchdog").fixed == 0
