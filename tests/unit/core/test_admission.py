"""How many jobs are taken at once."""

from datetime import timedelta

import pytest

from core.admission import Admission
from core.errors import TooManyRequests
from core.submission import SubmitRequest
from tests.factories.clock import ManualClock
from tests.factories.memory_app import MemoryApp, memory_app
from tests.factories.moods import MoodJob, do_mood


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def engine(clock: ManualClock) -> MemoryApp:
    return memory_app([MoodJob], [do_mood], clock)


def submit(engine: MemoryApp, number: int) -> None:
    engine.app.submission.submit(SubmitRequest("mood", {"number": number}))


def test_jobs_are_taken_up_to_the_limit_and_again_when_some_have_ended(
    engine: MemoryApp, clock: ManualClock
) -> None:
    admission = Admission(engine.app.jobs, clock, most=2)
    for number in (1, 2):
        clock.advance(timedelta(seconds=1))
        admission.check()
        submit(engine, number)

    clock.advance(timedelta(seconds=1))
    with pytest.raises(TooManyRequests) as caught:
        admission.check()
    engine.work()
    clock.advance(timedelta(seconds=1))
    admission.check()

    assert (caught.value.code.code, caught.value.code.retryable) == ("jobs.too_many_active", True)


def test_jobs_are_counted_once_a_second_however_many_come(engine: MemoryApp, clock: ManualClock) -> None:
    admission = Admission(engine.app.jobs, clock, most=1)
    admission.check()
    submit(engine, 1)

    admission.check()

    clock.advance(timedelta(seconds=1))
    with pytest.raises(TooManyRequests):
        admission.check()


def test_nought_is_no_limit(engine: MemoryApp, clock: ManualClock) -> None:
    admission = Admission(engine.app.jobs, clock, most=0)
    submit(engine, 1)

    admission.check()
