"""A whole local system for the session, and rasters for it."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.binaries import CHECKOUT
from tests.factories.local_system import RunningSystem, running_system

# Short enough that a test need not wait a minute for a dead worker's lease, or for a hanging child.
_SETTINGS = {
    "ENGINE_LEASE_SECONDS": "4",
    "ENGINE_HEARTBEAT_SECONDS": "1",
    "ENGINE_CHILD_DEADLINE_SECONDS": "60",
}


@pytest.fixture(scope="session")
def trap() -> Iterator[socket.socket]:
    """Listen where nothing should ever connect."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture(scope="session")
def rasters(trap: socket.socket) -> Iterator[Path]:
    """Return a directory of rasters, good and bad."""
    with tempfile.TemporaryDirectory(prefix="terrane-rasters-") as folder:
        address = f"127.0.0.1:{trap.getsockname()[1]}"
        command = [sys.executable, "-m", "tests.acceptance.rasters", folder, address]
        subprocess.run(command, cwd=CHECKOUT, check=True)
        yield Path(folder)


@pytest.fixture(scope="session")
def terrane() -> Iterator[RunningSystem]:
    with running_system(_SETTINGS) as system:
        yield system
