"""What a simulation may do with the bells, beyond the port."""

from datetime import timedelta

import pytest

from infrastructure.memory.queue import InMemoryQueue
from tests.factories.clock import ManualClock

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def queue(clock: ManualClock) -> InMemoryQueue:
    return InMemoryQueue(clock, ["light", "heavy"], max_delivery_count=3)


def test_a_bell_that_is_given_back_is_delivered_again_and_counts(queue: InMemoryQueue) -> None:
    queue.ring("light", 2)
    first = queue.take("light")
    assert first is not None

    queue.give_back("light", first)
    again = queue.take("light")

    assert again is not None
    assert again.sequence_number == first.sequence_number
    assert (first.delivery_count, again.delivery_count) == (1, 2)


def test_a_bell_that_is_given_back_too_often_is_dead(queue: InMemoryQueue) -> None:
    queue.ring("light")

    deliveries = 0
    while bell := queue.take("light"):
        deliveries += 1
        queue.give_back("light", bell)

    assert deliveries == 3
    assert len(queue.peek("light", 10, dead_letters=True)) == 1


def test_the_next_scheduled_bell_is_known(queue: InMemoryQueue, clock: ManualClock) -> None:
    queue.ring_later("light", 9 * SECOND)
    queue.ring_later("heavy", 5 * SECOND)
    start = clock.now()

    first = queue.next_due()
    clock.advance(5 * SECOND)
    second = queue.next_due()
    clock.advance(4 * SECOND)

    assert (first, second, queue.next_due()) == (start + 5 * SECOND, start + 9 * SECOND, None)


def test_a_restart_of_the_broker_loses_everything(queue: InMemoryQueue) -> None:
    queue.ring("light", 3)
    queue.ring_later("heavy", SECOND)

    queue.clear()

    assert queue.take("light") is None
    assert queue.next_due() is None
