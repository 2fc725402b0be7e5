"""The port to the bus: bells that say that a lane has work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True)
class BusMessage:
    """A message as an operator sees it."""

    sequence_number: int
    body: str
    enqueued_at: datetime | None
    scheduled_for: datetime | None
    delivery_count: int
    dead_letter_reason: str | None = None


class MessageQueue(Protocol):
    """Rings bells. A lost, doubled or late bell does no harm; see the engine's rules.

    Every method raises `core.errors.TransientError` (``bus.unavailable``) with the host and the
    operation in its message when the bus does not answer within the time given at construction.
    """

    def ring(self, lane: str, count: int = 1) -> None:
        """Send `count` bells to the lane's queue, in batches that respect the size limit."""
        ...

    def ring_later(self, lane: str, delay: timedelta) -> None:
        """Schedule one bell."""
        ...

    def peek(
        self, lane: str, limit: int, *, dead_letters: bool = False, after: int = 0
    ) -> Sequence[BusMessage]:
        """Return messages without consuming them, oldest first, behind the sequence number `after`."""
        ...

    def drain_dead_letters(self, lane: str, limit: int) -> Sequence[BusMessage]:
        """Remove at most `limit` dead letters and return them."""
        ...

    def ping(self) -> None:
        """Return if the bus answers."""
        ...
