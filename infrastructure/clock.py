"""The machine's own time and chance."""

import random
import secrets
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """`core.ports.clock.Clock` of the operating system."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, duration: timedelta) -> None:
        """Block the calling thread."""
        time.sleep(max(duration.total_seconds(), 0.0))


class SystemChance:
    """`core.ports.clock.Chance` of the operating system."""

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()  # noqa: S311 - jitter, no secret

    def token(self) -> str:
        """Return 32 unpredictable hexadecimal digits."""
        return secrets.token_hex(16)
