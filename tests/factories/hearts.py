"""Hearts that beat for one task in memory, by the real clock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.heart import Heart, HeartThread
from core.models.claims import Beat, BeatAnswer, ClaimedTask
from infrastructure.clock import SystemClock
from infrastructure.memory.jobs import InMemoryJobRepository
from infrastructure.memory.state import EngineState
from infrastructure.memory.tasks import InMemoryTaskRepository
from tests.factories.engine import new_job

INTERVAL = timedelta(milliseconds=20)


class ListeningTasks(InMemoryTaskRepository):
    """The tasks in memory, and when each beat arrived."""

    def __init__(self, state: EngineState) -> None:
        super().__init__(state)
        self.beaten_at: list[datetime] = []

    def beat(self, beats: Sequence[Beat], lease: timedelta) -> Sequence[BeatAnswer]:
        self.beaten_at.append(SystemClock().now())
        return super().beat(beats, lease)


@dataclass
class Ward:
    """A task in work, and the heart that beats for it.

    Args:
        lease: How long a beat holds.
    """

    lease: timedelta
    state: EngineState = field(default_factory=lambda: EngineState(SystemClock()))

    def __post_init__(self) -> None:
        self.tasks = ListeningTasks(self.state)
        self.heart = Heart(self.tasks, self.lease)
        InMemoryJobRepository(self.state).submit(new_job())

    @contextmanager
    def beating(self, task: ClaimedTask) -> Iterator[None]:
        """Beat for a claim in a thread."""
        thread = HeartThread(self.heart, INTERVAL, SystemClock())
        self.heart.hold(task)
        thread.start()
        try:
            yield
        finally:
            thread.stop()

    def beats_between(self, start: datetime, end: datetime) -> int:
        return sum(start < instant < end for instant in self.tasks.beaten_at)
