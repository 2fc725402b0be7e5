"""How many jobs may be active at once: beyond that, callers are asked to come back later."""

from dataclasses import dataclass, field
from datetime import timedelta

from core import codes
from core.errors import TooManyRequests
from core.ports.clock import Clock
from core.ports.engine import JobRepository

_COUNT_EVERY = 1.0
_PAUSE = timedelta(seconds=30)


@dataclass
class _Count:
    active: int = 0
    at: float = float("-inf")


@dataclass(frozen=True)
class Admission:
    """Refuses further jobs while there are too many.

    It counts once a second, so a burst may pass the limit: it keeps a table from growing without
    end, and need not be exact.

    Args:
        jobs: Where they are counted.
        clock: This process's clock.
        most: Most active jobs; 0 for no limit.
    """

    jobs: JobRepository
    clock: Clock
    most: int
    _count: _Count = field(default_factory=_Count, repr=False)

    def check(self) -> None:
        """Let one more job in.

        Raises:
            TooManyRequests: There are too many.
        """
        if not self.most:
            return
        now = self.clock.monotonic()
        if now - self._count.at >= _COUNT_EVERY:
            self._count.at = now
            self._count.active = self.jobs.count_active(self.most)
        if self._count.active >= self.most:
            raise TooManyRequests(
                codes.JOBS_TOO_MANY, f"{self.most:,} jobs or more are active; no more are taken now.", _PAUSE
            )
