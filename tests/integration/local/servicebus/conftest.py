"""A broker of its own for each test, and a client for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient

from tests.fixtures.processes import ServerProcess
from tests.integration.local.servicebus.emulator import REPOSITORY, Broker, emulator_command


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Run the emulator."""
    process = ServerProcess(emulator_command, tmp_path / "servicebus.log", directory=REPOSITORY)
    process.start()
    try:
        yield Broker(process)
    finally:
        process.stop()


@pytest.fixture
def client(broker: Broker) -> Iterator[ServiceBusClient]:
    """Return a client of the broker."""
    with broker.client() as client:
        yield client
