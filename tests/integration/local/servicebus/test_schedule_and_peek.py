from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceiver,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import MessageNotFoundError

from tests.integration.local.servicebus.emulator import Broker, bodies, receive


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def count(receiver: ServiceBusReceiver) -> int:
    """Count as an administration client would: a page of messages at a time, until there are no more."""
    total, number = 0, 1
    while page := receiver.peek_messages(100, sequence_number=number):
        total += len(page)
        number = (page[-1].sequence_number or 0) + 1
    return total


def test_a_message_scheduled_by_its_property_comes_at_its_time(client: ServiceBusClient) -> None:
    due = soon()
    with client.get_queue_sender("orders") as sender:
        sender.send_messages(ServiceBusMessage("scheduled", scheduled_enqueue_time_utc=due))
        sender.send_messages(ServiceBusMessage("at once"))

    with client.get_queue_receiver("orders") as receiver:
        received = receive(receiver, 2)

    assert bodies(received) == ["at once", "scheduled"]
    assert received[1].enqueued_time_utc is not None
    assert received[1].enqueued_time_utc >= due - timedelta(milliseconds=1)


def test_scheduled_messages_come_at_their_time(client: ServiceBusClient) -> None:
    with client.get_queue_sender("orders") as sender:
        numbers = sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], soon())

    with client.get_queue_receiver("orders") as receiver:
        received = receive(receiver, 2)

    assert numbers == [1, 2]
    assert bodies(received) == ["a", "b"]


def test_a_cancelled_message_never_comes(client: ServiceBusClient) -> None:
    with client.get_queue_sender("orders") as sender:
        both = [ServiceBusMessage("a"), ServiceBusMessage("b")]
        [kept, cancelled] = sender.schedule_messages(both, later())
        sender.cancel_scheduled_messages(cancelled)
        with pytest.raises(MessageNotFoundError):
            sender.cancel_scheduled_messages(cancelled)

    with client.get_queue_receiver("orders") as receiver:
        left = receiver.peek_messages(10)

    assert [message.sequence_number for message in left] == [kept]


def test_peek_shows_every_state_and_touches_nothing(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("orders", "deferred", "locked", "waiting")
    with client.get_queue_sender("orders") as sender:
        sender.schedule_messages(ServiceBusMessage("scheduled"), later())

    with client.get_queue_receiver("orders") as receiver:
        deferred, _ = receive(receiver, 2)
        receiver.defer_message(deferred)
        seen = receiver.peek_messages(10, sequence_number=1)
        [waiting] = receive(receiver)

    assert [(str(message), message.state) for message in seen] == [
        ("deferred", ServiceBusMessageState.DEFERRED),
        ("locked", ServiceBusMessageState.ACTIVE),
        ("waiting", ServiceBusMessageState.ACTIVE),
        ("scheduled", ServiceBusMessageState.SCHEDULED),
    ]
    assert (str(waiting), waiting.delivery_count) == ("waiting", 0)


def test_peek_goes_on_where_it_ended(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("orders", *(f"{number}" for number in range(5)))

    with client.get_queue_receiver("orders") as receiver:
        pages = [bodies(receiver.peek_messages(2)) for _ in range(4)]
        middle = bodies(receiver.peek_messages(1, sequence_number=3))

    assert pages == [["0", "1"], ["2", "3"], ["4"], []]
    assert middle == ["2"]


def test_messages_can_be_counted_by_peek(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("orders", *(f"{number}" for number in range(250)))
    with client.get_queue_receiver("orders") as receiver:
        for message in receive(receiver, 3):
            receiver.dead_letter_message(message)
        active = count(receiver)
    with client.get_queue_receiver("orders", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        dead = count(receiver)

    assert (active, dead) == (247, 3)


def test_large_messages_are_peeked_in_several_answers(client: ServiceBusClient) -> None:
    with client.get_queue_sender("orders") as sender:
        for _ in range(8):
            sender.send_messages(ServiceBusMessage(b"x" * 200_000))

    with client.get_queue_receiver("orders") as receiver:
        page = receiver.peek_messages(100)
        total = count(receiver)

    assert 1 <= len(page) < 8
    assert total == 8
