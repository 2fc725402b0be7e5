import asyncio
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
)

from tests.fixtures.processes import wait_until
from tests.integration.local.servicebus.emulator import Broker, bodies, receive


def test_a_message_arrives_as_it_was_sent_and_is_gone_once_completed(client: ServiceBusClient) -> None:
    message = ServiceBusMessage(
        b"\x00\xff",
        message_id="m-1",
        subject="greeting",
        correlation_id="c",
        application_properties={"count": 3, "name": "ä", "flag": True},
        time_to_live=timedelta(minutes=5),
    )
    with client.get_queue_sender("orders") as sender:
        sender.send_messages(message)

    with client.get_queue_receiver("orders") as receiver:
        [received] = receive(receiver)
        receiver.complete_message(received)
        left = receiver.peek_messages()

    assert b"".join(received.body) == b"\x00\xff"
    assert (received.message_id, received.subject, received.correlation_id) == ("m-1", "greeting", "c")
    assert received.application_properties == {b"count": 3, b"name": b"\xc3\xa4", b"flag": True}
    assert (received.sequence_number, received.delivery_count) == (1, 0)
    assert received.time_to_live == timedelta(minutes=5)
    assert left == []


@pytest.mark.parametrize(
    ("field", "body"),
    [("value_body", {b"a": [1, 2]}), ("sequence_body", [[1, b"two"], [3]]), ("data_body", [b"one", b"two"])],
)
def test_every_kind_of_body_arrives(client: ServiceBusClient, field: str, body: Any) -> None:
    with client.get_queue_sender("orders") as sender:
        content: dict[str, Any] = {field: body}
        sender.send_messages(AmqpAnnotatedMessage(**content))

    with client.get_queue_receiver("orders") as receiver:
        [received] = receive(receiver)

    found = received.raw_amqp_message.body
    assert (found if field == "value_body" else list(found)) == body


def test_a_batch_arrives_as_its_messages_in_order(client: ServiceBusClient) -> None:
    with client.get_queue_sender("orders") as sender:
        batch = sender.create_message_batch()
        for number in range(50):
            batch.add_message(ServiceBusMessage(f"{number}", application_properties={"n": number}))
        sender.send_messages(batch)

    with client.get_queue_receiver("orders") as receiver:
        received = receive(receiver, 50)

    assert bodies(received) == [f"{number}" for number in range(50)]
    assert [message.application_properties for message in received] == [{b"n": n} for n in range(50)]


def test_receive_and_delete_leaves_nothing(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("orders", "a", "b")

    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with client.get_queue_receiver("orders", receive_mode=mode) as receiver:
        received = receive(receiver, 2)
        left = receiver.peek_messages()

    assert bodies(received) == ["a", "b"]
    assert left == []


def test_several_receivers_share_a_queue(broker: Broker, client: ServiceBusClient) -> None:
    with ExitStack() as stack:
        attached = [client.get_queue_receiver("orders", prefetch_count=20) for _ in range(3)]
        receivers = [stack.enter_context(receiver) for receiver in attached]
        for receiver in receivers:
            # The SDK grants the credit for prefetching with its first call.
            assert receiver.receive_messages(1, max_wait_time=0.2) == []

        broker.send("orders", *(f"{number}" for number in range(30)))
        received = [bodies(receive(receiver, 10)) for receiver in receivers]

    assert all(received)
    assert sorted(int(body) for part in received for body in part) == list(range(30))


def test_many_clients_at_once_are_served(broker: Broker, client: ServiceBusClient) -> None:
    async def send(number: int) -> None:
        connection = AsyncServiceBusClient.from_connection_string(broker.connection_string)
        async with connection, connection.get_queue_sender("orders") as sender:
            await sender.send_messages(ServiceBusMessage(f"{number}"))

    async def send_all() -> None:
        await asyncio.gather(*(send(number) for number in range(40)))

    asyncio.run(send_all())

    with client.get_queue_receiver("orders") as receiver:
        received = receive(receiver, 40)
    assert sorted(int(body) for body in bodies(received)) == list(range(40))


def test_a_message_near_the_limit_arrives_and_one_beyond_it_is_refused(client: ServiceBusClient) -> None:
    largest = b"x" * (255 * 1024)
    with client.get_queue_sender("orders") as sender:
        sender.send_messages(ServiceBusMessage(largest))
        with pytest.raises(MessageSizeExceededError):
            sender.send_messages(ServiceBusMessage(b"x" * (256 * 1024)))
        sender.send_messages(ServiceBusMessage("after"))

    with client.get_queue_receiver("orders") as receiver:
        received = receive(receiver, 2)

    assert [b"".join(message.body) for message in received] == [largest, b"after"]


@pytest.mark.parametrize("name", ["nothing", "orders/extra"])
def test_an_entity_that_does_not_exist_is_not_found(client: ServiceBusClient, name: str) -> None:
    with pytest.raises(MessagingEntityNotFoundError), client.get_queue_sender(name) as sender:
        sender.send_messages(ServiceBusMessage("lost"))
    with pytest.raises(MessagingEntityNotFoundError), client.get_queue_receiver(name) as receiver:
        receiver.receive_messages(max_wait_time=5)
    with pytest.raises(ServiceBusError), client.get_queue_receiver(name) as receiver:
        receiver.peek_messages(timeout=5)


def test_a_session_is_refused_because_it_is_not_emulated(client: ServiceBusClient) -> None:
    with (
        pytest.raises(ServiceBusError, match="no sessions"),
        client.get_queue_receiver("orders", session_id=NEXT_AVAILABLE_SESSION) as receiver,
    ):
        receiver.receive_messages(max_wait_time=5)


def test_a_message_that_nobody_receives_in_time_is_dead_lettered(
    broker: Broker, client: ServiceBusClient
) -> None:
    broker.send("short-lived", "late")

    with client.get_queue_receiver("short-lived", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        [dead] = receive(receiver)

    assert (str(dead), dead.dead_letter_reason) == ("late", "TTLExpiredException")


def test_a_message_expires_by_its_own_time_to_live(client: ServiceBusClient) -> None:
    with client.get_queue_sender("orders") as sender:
        sender.send_messages(ServiceBusMessage("brief", time_to_live=timedelta(seconds=4)))

    with client.get_queue_receiver("orders") as receiver:
        seen = bodies(receiver.peek_messages(sequence_number=1))
        wait_until(lambda: not receiver.peek_messages(sequence_number=1), 10)

    assert seen == ["brief"]
