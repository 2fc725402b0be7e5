"""Lanes of either store: the scheduled bell, and how silence is told from idleness."""

from datetime import timedelta

import pytest

from core.states import Outcome
from tests.factories.engine import LEASE, EngineStore, keys

SECOND = timedelta(seconds=1)
SILENCE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)
PERIOD = timedelta(minutes=5)


def _about(actual: timedelta | None, expected: timedelta) -> bool:
    """Tell whether a delay is the expected one but for the time that the test itself takes."""
    return actual is not None and expected - 30 * SECOND < actual <= expected


def test_an_empty_lane_needs_no_bell(store: EngineStore) -> None:
    assert store.tasks.schedule_bell("light") is None


def test_the_bell_comes_when_the_first_of_the_waiting_is_due(store: EngineStore) -> None:
    late, early = store.start(keys(2))
    store.end(late, Outcome.SNOOZE, delay=40 * MINUTE)
    store.end(early, Outcome.SNOOZE, delay=20 * MINUTE)

    assert _about(store.tasks.schedule_bell("light"), 20 * MINUTE)


def test_the_bell_comes_when_the_first_lease_runs_out(store: EngineStore) -> None:
    waiting, _ = store.start(keys(2))
    store.end(waiting, Outcome.SNOOZE, delay=20 * MINUTE)

    assert _about(store.tasks.schedule_bell("light"), LEASE)
    assert store.tasks.schedule_bell("heavy") is None


def test_what_is_due_at_once_gets_its_bell_in_a_second(store: EngineStore) -> None:
    store.submit()

    assert store.tasks.schedule_bell("light") == SECOND


def test_one_bell_is_enough(store: EngineStore) -> None:
    first, second = store.start(keys(2))
    store.end(first, Outcome.SNOOZE, delay=20 * MINUTE)
    store.end(second, Outcome.SNOOZE, delay=20 * MINUTE)
    store.tasks.schedule_bell("light")

    assert store.tasks.schedule_bell("light") is None


def test_an_earlier_bell_may_come_beside_a_later_one(store: EngineStore) -> None:
    first, second = store.start(keys(2))
    store.end(first, Outcome.SNOOZE, delay=40 * MINUTE)
    store.advance(2 * LEASE)
    store.beat(second)
    store.tasks.schedule_bell("light")
    store.end(second, Outcome.SNOOZE, delay=10 * SECOND)

    assert _about(store.tasks.schedule_bell("light"), 10 * SECOND)


def test_a_bell_that_has_come_or_is_about_to_does_not_count(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.SNOOZE, delay=10 * MINUTE)
    store.tasks.schedule_bell("light")
    store.advance(10 * MINUTE - SECOND / 2)

    assert store.tasks.schedule_bell("light") == SECOND


def test_the_right_to_a_bell_that_could_not_be_sent_goes_to_the_next(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.SNOOZE, delay=10 * MINUTE)
    store.tasks.schedule_bell("light")

    store.tasks.unschedule_bell("light")

    assert _about(store.tasks.schedule_bell("light"), 10 * MINUTE)


def test_a_pause_schedules_the_bell_for_its_end(store: EngineStore) -> None:
    store.submit()
    store.tasks.pause("maintenance", "tester", store.job().created_at + 20 * MINUTE)

    assert _about(store.tasks.schedule_bell("light"), 20 * MINUTE)


def test_a_pause_without_an_end_schedules_nothing(store: EngineStore) -> None:
    store.submit()
    store.tasks.pause("maintenance", "tester", None)

    assert store.tasks.schedule_bell("light") is None


@pytest.mark.parametrize("served", [False, True])
def test_a_lane_is_not_silent_because_it_had_nothing_to_do(store: EngineStore, served: bool) -> None:
    if served:
        store.submit("before")
        store.plan([])
    store.advance(10 * PERIOD)

    store.submit()

    assert store.tasks.silent_lanes() == []
    assert store.violations() == []


def test_a_lane_is_silent_when_nobody_takes_its_work(store: EngineStore) -> None:
    store.submit()
    store.advance(SILENCE - SECOND)
    before = store.tasks.silent_lanes()
    store.advance(2 * SECOND)

    assert before == []
    assert store.tasks.silent_lanes() == ["light"]


def test_a_lane_that_claims_is_not_silent_however_old_its_work(store: EngineStore) -> None:
    store.start(keys(3))
    store.submit("b")
    store.submit("c")
    store.advance(2 * PERIOD)
    store.claim(1)

    assert store.tasks.silent_lanes() == []


def test_what_waits_for_its_time_makes_no_lane_silent(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.SNOOZE, delay=3 * PERIOD)
    store.advance(2 * PERIOD)
    waiting = store.tasks.silent_lanes()
    store.advance(2 * PERIOD + SECOND)

    assert waiting == []
    assert store.tasks.silent_lanes() == ["light"]
