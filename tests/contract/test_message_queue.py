"""The queue port: what every adapter does alike."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver

from infrastructure.memory.queue import InMemoryQueue
from infrastructure.message_queue import ServiceBusQueue
from tests.factories.clock import ManualClock
from tests.factories.queues import Tower
from tests.fixtures.processes import wait_until
from tests.fixtures.servicebus import QUEUES, BusServer


@pytest.fixture(params=["memory", "servicebus"])
def tower(request: pytest.FixtureRequest) -> Iterator[Tower]:
    if request.param == "memory":
        yield memory_tower()
        return
    server: BusServer = request.getfixturevalue("fresh_bus")
    with ServiceBusClient.from_connection_string(server.connection_string) as client:
        yield service_bus_tower(request.getfixturevalue("service_bus_queue"), client)


def memory_tower() -> Tower:
    clock = ManualClock(datetime.now(UTC))
    queue = InMemoryQueue(clock, QUEUES, max_delivery_count=1)

    def take(lane: str) -> str | None:
        bell = queue.take(lane)
        return bell.body if bell else None

    def bury(lane: str) -> None:
        while bell := queue.take(lane):
            queue.give_back(lane, bell)

    def wait(duration: timedelta, condition: Callable[[], bool]) -> None:
        clock.advance(duration)
        assert condition()

    return Tower(queue, take, bury, wait)


class Ringers:
    """Receivers of the queues, kept open."""

    def __init__(self, client: ServiceBusClient) -> None:
        self._client = client
        self._receivers: dict[str, ServiceBusReceiver] = {}

    def take(self, lane: str) -> str | None:
        for message in self._receive(lane, 1):
            self._receivers[lane].complete_message(message)
            return str(message)
        return None

    def bury(self, lane: str) -> None:
        while messages := self._receive(lane, 100):
            for message in messages:
                self._receivers[lane].dead_letter_message(message, reason="MaxDeliveryCountExceeded")

    def _receive(self, lane: str, limit: int) -> list[ServiceBusReceivedMessage]:
        if lane not in self._receivers:
            self._receivers[lane] = self._client.get_queue_receiver(QUEUES[lane], keep_alive=0)
            # A look opens the link, which the wait for messages would count as part of itself.
            self._receivers[lane].peek_messages()
        return self._receivers[lane].receive_messages(limit, max_wait_time=0.5)


def service_bus_tower(queue: ServiceBusQueue, client: ServiceBusClient) -> Tower:
    ringers = Ringers(client)

    def wait(duration: timedelta, condition: Callable[[], bool]) -> None:
        wait_until(condition, duration.total_seconds() + 20)

    return Tower(queue, ringers.take, ringers.bury, wait)


def test_bells_arrive_in_their_lane_and_name_it(tower: Tower) -> None:
    tower.queue.ring("light", 3)
    tower.queue.ring("heavy")

    assert [json.loads(body) for body in tower.take_all("light")] == [{"lane": "light"}] * 3
    assert [json.loads(body) for body in tower.take_all("heavy")] == [{"lane": "heavy"}]


def test_ringing_no_bell_is_nothing(tower: Tower) -> None:
    tower.queue.ring("light", 0)

    assert list(tower.queue.peek("light", 10)) == []


def test_peeking_shows_the_oldest_first_and_takes_nothing(tower: Tower) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    tower.queue.ring("light", 5)

    first = tower.queue.peek("light", 3)
    again = tower.queue.peek("light", 100)

    numbers = [message.sequence_number for message in again]
    assert list(again[:3]) == list(first)
    assert len(again) == 5
    assert numbers == sorted(set(numbers))
    assert all(message.enqueued_at and message.enqueued_at > before for message in again)
    assert {(message.body, message.delivery_count) for message in again} == {('{"lane": "light"}', 0)}
    assert len(tower.take_all("light")) == 5


def test_peeking_goes_on_behind_a_message(tower: Tower) -> None:
    tower.queue.ring("light", 5)

    whole = tower.queue.peek("light", 10)

    assert list(tower.queue.peek("light", 2, after=whole[2].sequence_number)) == list(whole[3:])
    assert list(tower.queue.peek("light", 2, after=whole[4].sequence_number)) == []


def test_more_bells_than_one_batch_holds_all_arrive(tower: Tower) -> None:
    tower.queue.ring("light", 4000)

    assert len(tower.queue.peek("light", 5000)) == 4000


def test_a_later_bell_comes_when_it_is_due(tower: Tower) -> None:
    tower.queue.ring_later("light", timedelta(hours=1))
    tower.queue.ring_later("heavy", timedelta(seconds=1))

    due = [tower.queue.peek(lane, 10)[0].scheduled_for for lane in ("heavy", "light")]
    tower.wait(timedelta(seconds=1), lambda: tower.take("heavy") == '{"lane": "heavy"}')

    assert due[0] is not None
    assert due[1] is not None
    assert timedelta(minutes=59) < due[1] - due[0] < timedelta(minutes=61)
    assert tower.take("heavy") is None
    assert tower.take("light") is None


def test_a_bell_that_is_due_at_once_comes_at_once(tower: Tower) -> None:
    tower.queue.ring_later("heavy", timedelta(0))

    tower.wait(timedelta(0), lambda: tower.take("heavy") == '{"lane": "heavy"}')


def test_dead_letters_are_seen_apart_with_their_reason(tower: Tower) -> None:
    tower.queue.ring("light", 2)
    tower.bury("light")
    tower.queue.ring("light")

    dead = tower.queue.peek("light", 10, dead_letters=True)

    assert [message.dead_letter_reason for message in dead] == ["MaxDeliveryCountExceeded"] * 2
    assert len(tower.queue.peek("light", 10)) == 1
    assert list(tower.queue.peek("heavy", 10, dead_letters=True)) == []


def test_dead_letters_are_removed_up_to_the_limit_and_returned(tower: Tower) -> None:
    tower.queue.ring("light", 5)
    tower.bury("light")
    tower.queue.ring("light")

    first = tower.queue.drain_dead_letters("light", 3)
    rest = tower.queue.drain_dead_letters("light", 100)

    assert (len(first), len(rest)) == (3, 2)
    assert {message.body for message in [*first, *rest]} == {'{"lane": "light"}'}
    assert {message.dead_letter_reason for message in [*first, *rest]} == {"MaxDeliveryCountExceeded"}
    assert list(tower.queue.drain_dead_letters("light", 100)) == []
    assert list(tower.queue.peek("light", 10, dead_letters=True)) == []
    assert len(tower.queue.peek("light", 10)) == 1


def test_many_threads_may_ring_at_once(tower: Tower) -> None:
    with ThreadPoolExecutor(8) as executor:
        for lane in ["light", "heavy"] * 40:
            executor.submit(tower.queue.ring, lane, 2)

    assert len(tower.queue.peek("light", 200)) == 80
    assert len(tower.queue.peek("heavy", 200)) == 80


def test_a_bus_that_answers_answers_a_ping(tower: Tower) -> None:
    tower.queue.ring("light")

    tower.queue.ping()
    tower.queue.ping()

    assert len(tower.queue.peek("light", 10)) == 1


def test_a_lane_without_a_queue_is_a_mistake(tower: Tower) -> None:
    with pytest.raises(KeyError):
        tower.queue.ring("no such lane")
