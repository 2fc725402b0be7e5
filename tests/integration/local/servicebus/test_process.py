import signal
import subprocess
import sys

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import MessageLockLostError

from tests.integration.local.servicebus.emulator import REPOSITORY, Broker, bodies, emulator_command, receive


def test_it_says_where_it_listens_and_ends_on_sigterm() -> None:
    command = emulator_command(0)
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        code = process.wait(timeout=20)

    assert line.startswith("Service Bus emulator listening on 127.0.0.1:")
    assert (rest, code) == ("", 0)


def test_a_wrong_entities_file_is_named_with_what_is_wrong() -> None:
    command = [sys.executable, "-m", "local.servicebus", "--port", "0", "--entities", "pyproject.toml"]

    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode != 0
    assert "pyproject.toml" in ended.stderr


def test_a_sender_goes_on_after_a_restart_which_loses_the_messages(
    broker: Broker, client: ServiceBusClient
) -> None:
    with client.get_queue_sender("orders") as sender, client.get_queue_receiver("orders") as receiver:
        sender.send_messages([ServiceBusMessage("before"), ServiceBusMessage("lost")])
        [held] = receive(receiver)

        broker.process.stop()
        broker.process.start()

        with pytest.raises(MessageLockLostError):
            receiver.complete_message(held)
        sender.send_messages(ServiceBusMessage("after"))
        received = receive(receiver)

    assert bodies(received) == ["after"]


def test_a_waiting_receiver_goes_on_after_a_restart(broker: Broker, client: ServiceBusClient) -> None:
    with client.get_queue_receiver("orders") as receiver:
        assert receiver.receive_messages(max_wait_time=0.2) == []

        broker.process.stop()
        broker.process.start()
        broker.send("orders", "new")

        assert bodies(receive(receiver)) == ["new"]
