"""A running emulator, and what tests do with it."""

import sys
from dataclasses import dataclass
from pathlib import Path

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
)

from tests.fixtures.processes import ServerProcess

HERE = Path(__file__).parent
REPOSITORY = Path(__file__).parents[4]


@dataclass
class Broker:
    """A running emulator with the entities of `entities.json`."""

    process: ServerProcess

    @property
    def connection_string(self) -> str:
        return (
            f"Endpoint=sb://127.0.0.1:{self.process.port};SharedAccessKeyName=RootManageSharedAccessKey;"
            "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
        )

    def client(self) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(self.connection_string, retry_backoff_factor=0.1)

    def send(self, queue: str, *bodies: str) -> None:
        with self.client() as client, client.get_queue_sender(queue) as sender:
            sender.send_messages([ServiceBusMessage(body) for body in bodies])


def emulator_command(port: int) -> list[str]:
    entities = ["--entities", str(HERE / "entities.json")]
    return [sys.executable, "-m", "local.servicebus", "--host", "127.0.0.1", "--port", str(port), *entities]


def receive(
    receiver: ServiceBusReceiver, count: int = 1, seconds: float = 10
) -> list[ServiceBusReceivedMessage]:
    """Receive until there are `count` messages, or fewer when none comes for that long."""
    received: list[ServiceBusReceivedMessage] = []
    while len(received) < count:
        more = receiver.receive_messages(count - len(received), max_wait_time=seconds)
        if not more:
            break
        received += more
    return received


def bodies(messages: list[ServiceBusReceivedMessage]) -> list[str]:
    """Return the bodies as text."""
    return [str(message) for message in messages]
