"""How long a task waits before it is tried again."""

from datetime import timedelta

from core.ports.clock import Chance

_FIRST = timedelta(seconds=2)
_LONGEST = timedelta(minutes=5)


def backoff(attempt: int, chance: Chance) -> timedelta:
    """Return a pause that doubles with each attempt, with jitter of half of it.

    Args:
        attempt: The attempt that has just failed, from 1.
        chance: Source of the jitter, which keeps many tasks from coming back at once.
    """
    doublings: int = 2 ** min(attempt - 1, 20)
    pause = min(_FIRST * doublings, _LONGEST)
    return pause * (0.5 + chance.uniform() / 2)
