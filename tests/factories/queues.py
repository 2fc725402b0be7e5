"""The queue's adapters in one shape, so that one suite runs against each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from core.ports.queue import MessageQueue


@dataclass
class Tower:
    """A queue with the other end of its ropes.

    Args:
        queue: The adapter, with no bells in it.
        take: Removes one bell from a lane and returns its body, or None if none has come.
        bury: Makes dead letters of all bells of a lane, with this reason.
        wait: Lets time go by, until a condition holds.
    """

    queue: MessageQueue
    take: Callable[[str], str | None]
    bury: Callable[[str], None]
    wait: Callable[[timedelta, Callable[[], bool]], None]

    def take_all(self, lane: str) -> list[str]:
        bodies: list[str] = []
        while (body := self.take(lane)) is not None:
            bodies.append(body)
        return bodies
