"""Service Bus triggers against the emulator, over sockets."""

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue

from tests.fixtures.processes import ServerProcess, wait_until
from tests.integration.local.functions_host.host_process import REPOSITORY

# One lock is shorter than what a lock-renewal test runs.
QUEUES = {"work": {"lockDuration": "PT30S", "maxDeliveryCount": 3}, "brief": {"lockDuration": "PT2S"}}

CONSUMER = """
@app.service_bus_queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="Bus")
def consume(message: func.ServiceBusMessage) -> None:
"""


@pytest.fixture(scope="module")
def broker_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = tmp_path_factory.mktemp("broker")
    entities = home / "entities.json"
    queues = [{"name": name, "properties": properties} for name, properties in QUEUES.items()]
    entities.write_text(json.dumps({"queues": queues}))

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "local.servicebus", "--port", str(port), "--entities", str(entities)]

    process = ServerProcess(command, home / "broker.log", directory=REPOSITORY)
    process.start()
    yield process
    process.stop()


@pytest.fixture
def broker(broker_process: ServerProcess) -> ServerProcess:
    """Return the broker with empty queues."""
    broker_process.stop()
    broker_process.start()
    return broker_process


@pytest.fixture
def bus(broker: ServerProcess) -> str:
    return connection_string(broker)


def connection_string(broker: ServerProcess) -> str:
    return (
        f"Endpoint=sb://127.0.0.1:{broker.port};SharedAccessKeyName=RootManageSharedAccessKey;"
        "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
    )


def send(bus: str, queue: str, *messages: ServiceBusMessage) -> None:
    with ServiceBusClient.from_connection_string(bus) as client, client.get_queue_sender(queue) as sender:
        sender.send_messages(list(messages))


def remaining(bus: str, queue: str) -> int:
    """Count the messages in a queue, locked ones included."""
    with ServiceBusClient.from_connection_string(bus) as client, client.get_queue_receiver(queue) as receiver:
        return len(receiver.peek_messages(max_message_count=50))


def test_a_message_reaches_the_function_whole_and_is_completed(start_host, bus: str) -> None:
    body = """
        note(json.dumps({
            "body": message.get_body().decode(), "id": message.message_id,
            "deliveries": message.delivery_count,
            "properties": message.application_properties, "subject": message.subject,
            "type": message.content_type, "correlation": message.correlation_id,
            "enqueued": message.enqueued_time_utc.tzname(), "sequence": message.sequence_number,
            "locked": message.locked_until > message.enqueued_time_utc,
        }))
    """
    host = start_host(CONSUMER + body, Bus=bus, QUEUE="work")
    message = ServiceBusMessage(
        b'{"lane": "light"}',
        message_id="m-1",
        subject="bell",
        content_type="application/json",
        correlation_id="c-1",
        application_properties={"text": "é", "number": 3},
    )

    send(bus, "work", message)

    wait_until(lambda: bool(host.notes()), 30)
    seen = json.loads(host.notes()[0])
    assert seen.pop("sequence") >= 1
    assert seen == {
        "body": '{"lane": "light"}',
        "id": "m-1",
        "deliveries": 1,
        "properties": {"text": "é", "number": 3},
        "subject": "bell",
        "type": "application/json",
        "correlation": "c-1",
        "enqueued": "UTC",
        "locked": True,
    }
    wait_until(lambda: remaining(bus, "work") == 0, 20)


def test_a_message_whose_function_raises_comes_again_until_it_is_dead(start_host, bus: str) -> None:
    body = """
        note(message.delivery_count)
        raise RuntimeError("no")
    """
    host = start_host(CONSUMER + body, Bus=bus, QUEUE="work")

    send(bus, "work", ServiceBusMessage("poison"))

    wait_until(lambda: len(host.notes()) == 3, 30)
    with (
        ServiceBusClient.from_connection_string(bus) as client,
        client.get_queue_receiver("work", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead,
    ):
        [message] = dead.receive_messages(max_wait_time=20)
    assert host.notes() == ["1", "2", "3"]
    assert (str(message), message.dead_letter_reason) == ("poison", "MaxDeliveryCountExceeded")


def test_no_more_messages_run_at_once_than_host_json_allows(start_host, bus: str) -> None:
    body = """
        with lock:
            running.add(message.message_id)
            note(f"{message.message_id} {len(running)}")
        time.sleep(0.3)
        with lock:
            running.discard(message.message_id)
    """
    setup = "\nlock = threading.Lock()\nrunning = set()\n"
    options = {"extensions": {"serviceBus": {"maxConcurrentCalls": 3}}}
    host = start_host(CONSUMER + body + setup, host=options, Bus=bus, QUEUE="work")

    send(bus, "work", *(ServiceBusMessage("x", message_id=f"m{n}") for n in range(15)))

    wait_until(lambda: len(host.notes()) >= 15, 40)
    notes = [line.split() for line in host.notes()]
    assert sorted(name for name, _ in notes) == sorted(f"m{n}" for n in range(15))
    assert max(int(count) for _, count in notes) == 3


def test_the_lock_is_renewed_while_the_function_runs(start_host, bus: str) -> None:
    body = """
        note(f"started {message.delivery_count}")
        time.sleep(5)
        note("ended")
    """
    host = start_host(CONSUMER + body, "--workers", "2", Bus=bus, QUEUE="brief")

    send(bus, "brief", ServiceBusMessage("x"))

    wait_until(lambda: "ended" in host.notes() and remaining(bus, "brief") == 0, 40)
    assert host.notes() == ["started 1", "ended"]


def test_a_lock_outlives_its_renewal_only_as_long_as_host_json_says(start_host, bus: str) -> None:
    body = """
        note(f"started {message.delivery_count}")
        if message.delivery_count == 1:
            time.sleep(8)
    """
    options = {"extensions": {"serviceBus": {"maxAutoLockRenewalDuration": "00:00:00"}}}
    host = start_host(CONSUMER + body, host=options, Bus=bus, QUEUE="brief")

    send(bus, "brief", ServiceBusMessage("x"))

    wait_until(lambda: host.notes() == ["started 1", "started 2"], 40)


def test_messages_come_again_when_the_broker_is_back(start_host, broker: ServerProcess) -> None:
    bus = connection_string(broker)
    host = start_host(CONSUMER + "    note(message.get_body().decode())", Bus=bus, QUEUE="work")
    send(bus, "work", ServiceBusMessage("before"))
    wait_until(lambda: host.notes() == ["before"], 30)

    broker.stop()
    wait_until(lambda: "queue unreachable queue=work" in host.output(), 60)
    broker.start()
    send(bus, "work", ServiceBusMessage("after"))

    wait_until(lambda: host.notes() == ["before", "after"], 60)


def test_the_host_serves_requests_while_there_is_no_broker(start_host, broker: ServerProcess) -> None:
    bus = connection_string(broker)
    broker.stop()

    host = start_host(CONSUMER + "    note('run')", Bus=bus, QUEUE="work")

    assert host.get("/api/pid").status == 200
    broker.start()
    send(bus, "work", ServiceBusMessage("x"))
    wait_until(lambda: host.notes() == ["run"], 60)


def test_sigterm_lets_a_running_message_end_and_takes_no_other(start_host, bus: str) -> None:
    body = """
        note(f"started {message.message_id}")
        while not Path("go").exists():
            time.sleep(0.02)
        note(f"ended {message.message_id}")
    """
    options = {"extensions": {"serviceBus": {"maxConcurrentCalls": 1}}}
    host = start_host(CONSUMER + body, "--grace", "60", host=options, Bus=bus, QUEUE="work")
    send(bus, "work", *(ServiceBusMessage("x", message_id=f"m{n}") for n in range(2)))
    wait_until(lambda: host.notes() == ["started m0"], 30)

    host.signal(signal.SIGTERM)
    wait_until(lambda: "worker draining" in host.output(), 20)
    (host.app / "go").touch()

    assert host.wait() == 0
    assert host.notes() == ["started m0", "ended m0"]
    assert remaining(bus, "work") == 1


def test_asynchronous_consumers_run_on_the_event_loop(start_host, bus: str) -> None:
    source = """
    @app.service_bus_queue_trigger(arg_name="message", queue_name="work", connection="Bus")
    async def consume(message: func.ServiceBusMessage, context: func.Context) -> None:
        await asyncio.sleep(0)
        note(threading.current_thread() is threading.main_thread())
        note(context.trace_context.trace_parent.split("-")[1])
    """
    host = start_host(source, Bus=bus)
    traceparent = f"00-{'ef' * 16}-{'01' * 8}-01"

    send(bus, "work", ServiceBusMessage("x", application_properties={"traceparent": traceparent}))

    wait_until(lambda: host.notes() == ["True", "ef" * 16], 30)


def test_connection_and_queue_come_from_local_settings(start_host, bus: str, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    values = {"AzureWebJobsBus": bus, "QUEUE": "work"}
    (tmp_path / "app" / "local.settings.json").write_text(
        json.dumps({"IsEncrypted": False, "Values": values})
    )
    host = start_host(CONSUMER + "    note('run')")

    send(bus, "work", ServiceBusMessage("x"))

    wait_until(lambda: host.notes() == ["run"], 30)
