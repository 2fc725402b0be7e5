"""Deadlines of messages, earliest first."""

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Generic, TypeVar

_SMALLEST_LIMIT = 1024

Key = TypeVar("Key", int, bytes)


class Agenda(Generic[Key]):
    """A heap of deadlines from which nothing is removed when a deadline is lifted or moved.

    An entry counts only while it says what `deadline_of` says; others are dropped as they come up, or all at
    once when the heap has doubled, so that a message that is settled costs nothing here.

    Args:
        deadline_of: The deadline of a key (sequence number, lock token) as it is now, None if it has none.
    """

    def __init__(self, deadline_of: Callable[[Key], datetime | None]) -> None:
        self._deadline_of: Callable[[Key], datetime | None] = deadline_of
        self._heap: list[tuple[datetime, Key]] = []
        self._limit = _SMALLEST_LIMIT

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: datetime, key: Key) -> None:
        """Note a deadline that `deadline_of` already answers."""
        heapq.heappush(self._heap, (due, key))
        if len(self._heap) > self._limit:
            self._compact()

    def next(self) -> datetime | None:
        """Return the earliest deadline that still counts."""
        while self._heap:
            due, key = self._heap[0]
            if self._deadline_of(key) == due:
                return due
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now: datetime) -> Iterator[Key]:
        """Take out what is due; the caller changes the deadline of each before it asks for the next."""
        while (due := self.next()) is not None and due <= now:
            yield heapq.heappop(self._heap)[1]

    def _compact(self) -> None:
        self._heap = [entry for entry in self._heap if self._deadline_of(entry[1]) == entry[0]]
        heapq.heapify(self._heap)
        self._limit = max(_SMALLEST_LIMIT, 2 * len(self._heap))
