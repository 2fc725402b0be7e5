"""What `task_watchdog` mends, rule by rule, and what it tells of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.ports.queue import BusMessage
from core.states import JobStatus, TaskStatus
from core.submission import SubmitRequest
from core.sweeps import Step
from core.watchdog import TaskWatchdog
from tests.factories.clock import ManualClock
from tests.factories.memory_app import MemoryApp, memory_app
from tests.factories.moods import MoodJob, do_mood

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def terrane(clock: ManualClock) -> MemoryApp:
    return memory_app([MoodJob], [do_mood], clock)


@pytest.fixture
def watchdog(terrane: MemoryApp) -> TaskWatchdog:
    app = terrane.app
    return TaskWatchdog(app.tasks, app.queue, app.bells)


def submit(terrane: MemoryApp, number: int = 0) -> str:
    return terrane.app.submission.submit(SubmitRequest("mood", {"number": number})).job_id


def hear(terrane: MemoryApp) -> int:
    found = 0
    while terrane.queue.take("light") is not None:
        found += 1
    return found


def test_an_engine_that_is_well_needs_nothing(terrane: MemoryApp, watchdog: TaskWatchdog) -> None:
    submit(terrane)
    terrane.claim()
    submit(terrane, 1)

    assert [step for rule in watchdog.rules for step in rule()] == []


def test_the_tasks_of_silent_workers_are_rescued_and_rung_for(
    terrane: MemoryApp, watchdog: TaskWatchdog, clock: ManualClock
) -> None:
    for number in range(120):
        submit(terrane, number)
    claimed = [task.task_id for _ in range(2) for task in terrane.claim()]
    hear(terrane)
    clock.advance(10 * MINUTE)

    steps = list(watchdog.rescue())

    assert [(step.action, len(step.items)) for step in steps] == [
        ("rescued", 50),
        ("rescued", 50),
        ("rescued", 20),
    ]
    assert sorted(name for step in steps for name in step.items) == sorted(claimed)
    assert hear(terrane) == 120


def test_a_task_that_killed_its_workers_is_failed_and_told_so(
    terrane: MemoryApp, watchdog: TaskWatchdog, clock: ManualClock
) -> None:
    job_id = submit(terrane)
    for _ in range(terrane.state.max_rescues):
        terrane.claim()
        clock.advance(10 * MINUTE)
        list(watchdog.rescue())
    [task] = terrane.claim()
    clock.advance(10 * MINUTE)

    steps = list(watchdog.rescue())

    assert steps == [Step("failed past their limits", [task.task_id])]
    assert terrane.state.jobs[job_id].status is JobStatus.FAILED


def test_queued_tasks_past_their_deadline_are_failed(
    terrane: MemoryApp, watchdog: TaskWatchdog, clock: ManualClock
) -> None:
    job_id = submit(terrane)
    clock.advance(timedelta(hours=25))

    [step] = watchdog.expire()

    [plan] = terrane.state.tasks.values()
    assert step == Step("failed past their limits", [plan.task_id])
    assert plan.status is TaskStatus.FAILED
    assert (terrane.state.jobs[job_id].error or {})["code"] == "task.deadline"


def test_a_silent_lane_is_rung_once_for_each_task(
    terrane: MemoryApp, watchdog: TaskWatchdog, clock: ManualClock
) -> None:
    for number in range(3):
        submit(terrane, number)
    hear(terrane)
    early = list(watchdog.ring())
    clock.advance(6 * MINUTE)

    steps = list(watchdog.ring())

    assert early == []
    assert steps == [Step("rang", number=3, facts={"lane": "light"})]
    assert hear(terrane) == 3


def test_dead_bells_are_counted_and_removed_and_what_is_no_bell_is_recorded(
    terrane: MemoryApp, watchdog: TaskWatchdog
) -> None:
    for _ in range(2):
        terrane.queue.ring("light")
        bell = terrane.queue.take("light")
        assert bell is not None
        terrane.queue.give_back("light", replace(bell, delivery_count=10))
    stranger = BusMessage(9, "not for us", None, None, 10)
    terrane.queue.give_back("light", stranger)

    steps = list(watchdog.drain_dead_letters())

    assert steps == [
        Step("removed dead bells", number=2, facts={"lane": "light"}),
        Step("removed messages that are no bells", ["not for us"], facts={"lane": "light"}),
    ]
    assert terrane.queue.peek("light", 10, dead_letters=True) == []
