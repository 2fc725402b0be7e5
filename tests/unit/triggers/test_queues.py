"""Bells as the platform delivers them."""

import azure.functions as func
import pytest

from core.submission import SubmitRequest
from tests.factories.memory_app import MemoryApp
from triggers import queues


class Bell(func.ServiceBusMessage):
    """A message that the platform delivers for the n-th time; it counts from 1."""

    def __init__(self, delivery_count: int | None) -> None:
        self._count = delivery_count

    @property
    def delivery_count(self) -> int | None:
        return self._count


@pytest.mark.parametrize(("delivery_count", "bells"), [(None, 0), (1, 0), (2, 1)])
def test_only_a_bell_that_comes_again_rings_the_other_lane(
    moods: MemoryApp, delivery_count: int | None, bells: int
) -> None:
    moods.app.submission.submit(SubmitRequest("mood", {}))
    moods.queue.take("light")

    queues.bell_heavy(Bell(delivery_count))

    assert len(moods.queue.peek("light", 10)) == bells


def test_a_light_bell_does_the_work_of_its_lane(moods: MemoryApp) -> None:
    job_id = moods.app.submission.submit(SubmitRequest("mood", {})).job_id

    queues.bell_light(Bell(1))

    assert moods.state.jobs[job_id].status == "completed"
