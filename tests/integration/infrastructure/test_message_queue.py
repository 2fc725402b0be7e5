"""Service Bus when the broker or the way to it fails."""

from collections.abc import Callable, Iterator

import pytest

from core import codes
from core.errors import TransientError
from core.ports.queue import MessageQueue
from infrastructure.message_queue import ServiceBusQueue
from tests.fixtures.processes import wait_until
from tests.fixtures.relay import Relay
from tests.fixtures.servicebus import QUEUES, BusServer, bus_settings

# See the fixture of the bus: the SDK's own sockets, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

RelayTo = Callable[[int], Relay]


@pytest.fixture
def relay(fresh_bus: BusServer, relay_to: RelayTo) -> Relay:
    return relay_to(fresh_bus.process.port)


@pytest.fixture
def queue(relay: Relay) -> Iterator[ServiceBusQueue]:
    queue = ServiceBusQueue(bus_settings(relay.port), None, QUEUES)
    yield queue
    queue.close()


def answers(queue: MessageQueue) -> bool:
    try:
        queue.ping()
    except TransientError:
        return False
    return True


def test_links_stay_open_between_bells(queue: ServiceBusQueue, relay: Relay) -> None:
    queue.ring("light")
    opened = relay.accepted

    for _ in range(20):
        queue.ring("light")

    assert relay.accepted == opened
    assert len(queue.peek("light", 100)) == 21


def test_a_dropped_link_is_opened_again_by_the_next_bell(queue: ServiceBusQueue, relay: Relay) -> None:
    queue.ring("light")
    queue.ping()

    relay.drop()
    queue.ring("light")
    relay.drop()
    queue.ring("light", 3)

    # A bell whose answer was lost on the way may ring twice.
    assert len(queue.peek("light", 100)) >= 5


def test_bells_ring_again_after_the_broker_was_restarted(
    fresh_bus: BusServer, queue: ServiceBusQueue
) -> None:
    queue.ring("light")
    queue.ring("heavy")

    fresh_bus.process.stop()
    fresh_bus.process.start()
    queue.ring("light")
    queue.ring("heavy", 2)

    assert len(queue.peek("light", 10)) == 1
    assert len(queue.peek("heavy", 10)) == 2


def test_while_the_broker_is_down_the_error_names_host_and_operation(fresh_bus: BusServer) -> None:
    queue = ServiceBusQueue(fresh_bus.settings(), None, QUEUES)
    queue.ring("light")
    host = f"127.0.0.1:{fresh_bus.process.port}"
    operations: dict[str, Callable[[], object]] = {
        "send terrane-light": lambda: queue.ring("light"),
        "peek terrane-heavy": lambda: queue.peek("heavy", 1),
        "drain dead letters terrane-light": lambda: queue.drain_dead_letters("light", 1),
        "ping terrane-light": queue.ping,
    }

    fresh_bus.process.stop()
    try:
        errors: dict[str, TransientError] = {}
        for name, operation in operations.items():
            with pytest.raises(TransientError) as raised:
                operation()
            errors[name] = raised.value
    finally:
        fresh_bus.process.start()
    queue.ring("light")

    for name, error in errors.items():
        assert error.code == codes.BUS_UNAVAILABLE
        assert error.message.startswith(f"{host}: {name}: ")
        assert "SAS_KEY_VALUE" not in error.message
    assert len(queue.peek("light", 10)) == 1
    queue.close()


def test_a_bus_that_is_silent_holds_nobody(fresh_bus: BusServer, relay_to: RelayTo) -> None:
    relay = relay_to(fresh_bus.process.port)
    queue = ServiceBusQueue(bus_settings(relay.port, send_timeout_seconds=0.3), None, QUEUES)
    relay.silence()

    for _ in range(3):
        with pytest.raises(TransientError, match=r"send terrane-light: no answer in time"):
            queue.ring("light")

    relay.restore()
    wait_until(lambda: answers(queue), 30)
    queue.close()


def test_a_queue_that_is_not_there_is_named(fresh_bus: BusServer) -> None:
    queue = ServiceBusQueue(fresh_bus.settings(), None, {"light": "no-such-queue"})

    with pytest.raises(TransientError, match="send no-such-queue"):
        queue.ring("light")
    queue.close()
