from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusSubQueue

from tests.integration.local.servicebus.emulator import Broker, bodies, receive


def dead_letters(client: ServiceBusClient, queue: str) -> list[ServiceBusReceivedMessage]:
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        received = receive(receiver)
        for message in received:
            receiver.complete_message(message)
        assert receiver.peek_messages(sequence_number=1) == []
    return received


def test_an_abandoned_message_comes_again_with_a_higher_delivery_count(
    broker: Broker, client: ServiceBusClient
) -> None:
    broker.send("orders", "again")

    counts = []
    with client.get_queue_receiver("orders") as receiver:
        for _ in range(3):
            [message] = receive(receiver)
            counts.append(message.delivery_count)
            receiver.abandon_message(message)

    assert counts == [0, 1, 2]


def test_a_message_is_dead_lettered_after_its_last_delivery(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("two-deliveries", "poison")

    with client.get_queue_receiver("two-deliveries") as receiver:
        for _ in range(2):
            [message] = receive(receiver)
            receiver.abandon_message(message)
        left = receiver.peek_messages(sequence_number=1)

    assert left == []
    [dead] = dead_letters(client, "two-deliveries")
    assert (str(dead), dead.delivery_count) == ("poison", 2)
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"


def test_a_dead_letter_keeps_its_reason_and_its_number(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("orders", "good", "bad")

    with client.get_queue_receiver("orders") as receiver:
        good, bad = receive(receiver, 2)
        receiver.complete_message(good)
        receiver.dead_letter_message(bad, reason="unreadable", error_description="no colon")

    [dead] = dead_letters(client, "orders")
    assert (str(dead), dead.sequence_number) == ("bad", bad.sequence_number)
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("unreadable", "no colon")


def test_a_deferred_message_is_received_by_its_number(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("orders", "later")

    with client.get_queue_receiver("orders") as receiver:
        [message] = receive(receiver)
        assert message.sequence_number is not None
        receiver.defer_message(message)
        passed_over = receiver.receive_messages(max_wait_time=0.5)
        [deferred] = receiver.receive_deferred_messages(message.sequence_number)
        receiver.complete_message(deferred)
        left = receiver.peek_messages(sequence_number=1)

    assert passed_over == []
    assert str(deferred) == "later"
    assert left == []


def test_deferred_messages_can_be_settled_in_every_way(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("orders", "abandoned", "deferred", "dead")

    with client.get_queue_receiver("orders") as receiver:
        messages = receive(receiver, 3)
        for message in messages:
            receiver.defer_message(message)
        numbers = [message.sequence_number for message in messages if message.sequence_number]
        first, second, third = receiver.receive_deferred_messages(numbers)
        receiver.abandon_message(first)
        receiver.defer_message(second)
        receiver.dead_letter_message(third, reason="why")
        left = receiver.receive_deferred_messages(numbers[:2])

    assert [(str(message), message.delivery_count) for message in left] == [("abandoned", 1), ("deferred", 0)]
    assert [dead.dead_letter_reason for dead in dead_letters(client, "orders")] == ["why"]


def test_a_receiver_that_closes_gives_back_what_it_had_not_handed_out(broker: Broker) -> None:
    broker.send("orders", "a", "b", "c")

    with broker.client() as first, first.get_queue_receiver("orders", prefetch_count=10) as receiver:
        [message] = receive(receiver)
        receiver.complete_message(message)
    with broker.client() as second, second.get_queue_receiver("orders") as receiver:
        received = receive(receiver, 2)

    assert bodies(received) == ["b", "c"]
    assert [message.delivery_count for message in received] == [0, 0]
