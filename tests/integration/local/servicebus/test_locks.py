import subprocess
import sys
from datetime import UTC, datetime

import pytest
from azure.servicebus import AutoLockRenewer, ServiceBusClient, ServiceBusReceivedMessage
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from tests.fixtures.processes import wait_until
from tests.integration.local.servicebus.emulator import Broker, receive

# Receives a message, says so, and waits to be killed with it.
_HOLDER = """
import sys
from azure.servicebus import ServiceBusClient

client = ServiceBusClient.from_connection_string(sys.argv[1])
receiver = client.get_queue_receiver(sys.argv[2])
[message] = receiver.receive_messages(max_wait_time=20)
print(message.sequence_number, flush=True)
sys.stdin.read()
"""


def lock_end(message: ServiceBusReceivedMessage) -> datetime:
    assert message.locked_until_utc is not None
    return message.locked_until_utc


def test_a_message_whose_lock_expired_comes_again_and_the_late_complete_is_refused(
    broker: Broker, client: ServiceBusClient
) -> None:
    broker.send("brief-locks", "slow")
    slow = client.get_queue_receiver("brief-locks")
    [late] = receive(slow)

    with broker.client() as other, other.get_queue_receiver("brief-locks") as receiver:
        [again] = receive(receiver)
        # The SDK looks at its own clock first; this asks the broker.
        with pytest.raises(ServiceBusError) as refusal:
            slow._do_retryable_operation(
                slow._settle_message, timeout=None, message=late, settle_operation="complete"
            )
        receiver.complete_message(again)
        left = receiver.peek_messages(sequence_number=1)

    assert isinstance(refusal.value, MessageLockLostError)
    assert (again.sequence_number, again.delivery_count) == (late.sequence_number, 1)
    assert left == []


def test_a_renewed_lock_outlives_the_first_one(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("brief-locks", "kept")

    with client.get_queue_receiver("brief-locks") as receiver:
        [message] = receive(receiver)
        first_end = lock_end(message)
        while datetime.now(UTC) < first_end:
            renewed = receiver.renew_message_lock(message)
        receiver.complete_message(message)
        left = receiver.peek_messages(sequence_number=1)

    assert renewed > first_end
    assert left == []


def test_the_renewer_of_the_sdk_keeps_a_lock(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("brief-locks", "long work")

    failures: list[object] = []
    with (
        AutoLockRenewer(on_lock_renew_failure=lambda *failure: failures.append(failure)) as renewer,
        client.get_queue_receiver("brief-locks", auto_lock_renewer=renewer) as receiver,
    ):
        [message] = receive(receiver)
        first_end = lock_end(message)
        wait_until(lambda: (lock_end(message) - first_end).total_seconds() > 1, 20)
        receiver.complete_message(message)
        left = receiver.peek_messages(sequence_number=1)

    assert failures == []
    assert left == []


def test_a_lock_that_was_used_up_cannot_be_renewed(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("brief-locks", "gone")

    with client.get_queue_receiver("brief-locks") as receiver:
        [message] = receive(receiver)
        wait_until(lambda: datetime.now(UTC) > lock_end(message), 10)
        with pytest.raises(MessageLockLostError):
            receiver._renew_locks(str(message.lock_token), timeout=10)


def test_a_killed_client_leaves_its_lock_until_that_expires(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("brief-locks", "orphan")
    command = [sys.executable, "-c", _HOLDER, broker.connection_string, "brief-locks"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        number = int(holder.stdout.readline())
        holder.kill()

    with client.get_queue_receiver("brief-locks") as receiver:
        [peeked] = receiver.peek_messages(sequence_number=1)
        [message] = receive(receiver)

    assert (message.sequence_number, message.delivery_count) == (number, 1)
    assert message.enqueued_time_utc == peeked.enqueued_time_utc


def test_a_lock_of_a_killed_client_is_not_given_to_the_next(broker: Broker, client: ServiceBusClient) -> None:
    broker.send("orders", "held")
    command = [sys.executable, "-c", _HOLDER, broker.connection_string, "orders"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()

    with client.get_queue_receiver("orders") as receiver:
        received = receiver.receive_messages(max_wait_time=1)
        [held] = receiver.peek_messages(sequence_number=1)

    assert received == []
    assert lock_end(held) > datetime.now(UTC)
