"""Bells that the plain worker receives, over the emulator."""

from collections.abc import Iterator

import pytest

from infrastructure.bell_receiver import BellReceiver
from infrastructure.message_queue import ServiceBusQueue
from tests.fixtures.servicebus import QUEUES, BusServer

# See the fixture of the bus: the SDK's own sockets, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def queue(fresh_bus: BusServer) -> Iterator[ServiceBusQueue]:
    queue = ServiceBusQueue(fresh_bus.settings(), None, QUEUES)
    yield queue
    queue.close()


@pytest.fixture
def receiver(fresh_bus: BusServer) -> BellReceiver:
    return BellReceiver(fresh_bus.settings(), None, QUEUES["light"])


def test_deliveries_are_counted_from_one_as_the_platform_does(
    queue: ServiceBusQueue, receiver: BellReceiver
) -> None:
    queue.ring("light", 2)
    counts: list[int] = []

    receiver.serve(counts.append, lambda: len(counts) == 2)

    assert counts == [1, 1]
    assert queue.peek("light", 10) == []


def test_a_bell_whose_answer_breaks_comes_again(queue: ServiceBusQueue, receiver: BellReceiver) -> None:
    queue.ring("light")
    counts: list[int] = []

    def answer(count: int) -> None:
        counts.append(count)
        if count == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        receiver.serve(answer, lambda: False)
    receiver.serve(answer, lambda: len(counts) == 2)

    assert counts == [1, 2]
    assert queue.peek("light", 10) == []
