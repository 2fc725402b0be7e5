import pytest

from tests.factories.clock import ManualClock
from tests.factories.memory_app import Client, MemoryApp, memory_app
from tests.factories.moods import MoodJob, do_mood
from triggers.bootstrap import application


@pytest.fixture
def terrane(monkeypatch: pytest.MonkeyPatch) -> MemoryApp:
    """This process's app, on in-memory adapters."""
    composed = memory_app()
    monkeypatch.setattr(application, "_app", composed.app)
    return composed


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def moods(terrane: MemoryApp, monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> MemoryApp:
    """This process's app with one job type, whose task ends as it is told, and a clock by hand."""
    composed = memory_app([MoodJob], [do_mood], clock)
    monkeypatch.setattr(application, "_app", composed.app)
    return composed


@pytest.fixture
def client(terrane: MemoryApp) -> Client:
    return Client()
