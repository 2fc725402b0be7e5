"""Time and chance, behind a port so that a simulation can own them."""

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A process's own clock. What is stored uses the store's clock, never this one."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, for durations."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Wait."""
        ...


class Chance(Protocol):
    """Random numbers."""

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        ...

    def token(self) -> str:
        """Return 32 hexadecimal digits that no other call returns."""
        ...
