"""The app on PostgreSQL, with the other adapters in memory."""

import pytest

from infrastructure.database import Database
from tests.factories.memory_app import Client, MemoryApp, memory_app
from triggers.bootstrap import application


@pytest.fixture
def terrane(database: Database, monkeypatch: pytest.MonkeyPatch) -> MemoryApp:
    composed = memory_app()
    parts = vars(composed.app)
    for name in set(parts) - {"settings", "queue", "blobs"}:
        del parts[name]
    parts["database"] = database
    monkeypatch.setattr(application, "_app", composed.app)
    return composed


@pytest.fixture
def client(terrane: MemoryApp) -> Client:
    return Client()
