"""What a worker sees to before it works."""

from datetime import timedelta

import pytest

from core.handler import Lane, TaskContext, task_handler
from core.submission import SubmitRequest
from tests.factories.clock import ManualClock
from tests.factories.memory_app import memory_app
from tests.factories.moods import MoodJob, MoodParameters, Nothing


@pytest.mark.parametrize("lane", ["light", "heavy"])
def test_a_bell_is_scheduled_for_when_the_lease_of_a_lone_task_ends(lane: Lane) -> None:
    scheduled: list[timedelta] = []

    @task_handler("mood", lane=lane)
    def look(parameters: MoodParameters, context: TaskContext) -> Nothing:
        bells = terrane.queue.peek(lane, 10)
        scheduled.extend(bell.scheduled_for - clock.now() for bell in bells if bell.scheduled_for)
        return Nothing()

    clock = ManualClock()
    terrane = memory_app([MoodJob], [look], clock)
    terrane.app.submission.submit(SubmitRequest("mood", {}))

    terrane.work()

    assert scheduled == [terrane.app.settings.engine.lease]
