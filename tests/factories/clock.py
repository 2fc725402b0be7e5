"""Time that goes on only when a test says so."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """`core.ports.clock.Clock` by hand; sleeping moves it."""

    def __init__(self, start: datetime = datetime(2024, 5, 1, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._now = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def sleep(self, duration: timedelta) -> None:
        self.advance(duration)

    def advance(self, duration: timedelta) -> None:
        self._now += duration
