"""A whole local system for the session, and a client of it."""

from collections.abc import Iterator

import pytest

from tests.factories.local_system import RunningSystem, running_system

# Short enough that a test need not wait a minute for a dead worker's lease.
_SETTINGS = {"ENGINE_LEASE_SECONDS": "4", "ENGINE_HEARTBEAT_SECONDS": "1"}


@pytest.fixture(scope="session")
def terrane() -> Iterator[RunningSystem]:
    with running_system(_SETTINGS) as system:
        yield system
