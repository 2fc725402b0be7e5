"""`core.ports.queue.MessageQueue` in memory, for simulations and fast tests."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from threading import Lock

from core.ports.clock import Clock
from core.ports.queue import BusMessage


@dataclass
class _Lane:
    messages: list[BusMessage] = field(default_factory=list)
    dead: list[BusMessage] = field(default_factory=list)


class InMemoryQueue:
    """Bells that are gone with the process. May be used by many threads at once.

    Args:
        clock: Says when a scheduled bell has come.
        lanes: The lanes that have a queue.
        max_delivery_count: Deliveries after which a bell that is given back is a dead letter.
    """

    def __init__(self, clock: Clock, lanes: Iterable[str], max_delivery_count: int = 10) -> None:
        self._clock = clock
        self._lanes = {lane: _Lane() for lane in lanes}
        self._max_delivery_count = max_delivery_count
        self._numbers = count(1)
        self._lock = Lock()

    def ring(self, lane: str, count: int = 1) -> None:
        """See `MessageQueue.ring`."""
        with self._lock:
            self._lanes[lane].messages += [self._bell(lane) for _ in range(count)]

    def ring_later(self, lane: str, delay: timedelta) -> None:
        """See `MessageQueue.ring_later`."""
        with self._lock:
            self._lanes[lane].messages.append(self._bell(lane, self._clock.now() + delay))

    def peek(
        self, lane: str, limit: int, *, dead_letters: bool = False, after: int = 0
    ) -> Sequence[BusMessage]:
        """See `MessageQueue.peek`."""
        with self._lock:
            found = self._lanes[lane].dead if dead_letters else self._lanes[lane].messages
            return [message for message in found if message.sequence_number > after][:limit]

    def drain_dead_letters(self, lane: str, limit: int) -> Sequence[BusMessage]:
        """See `MessageQueue.drain_dead_letters`."""
        with self._lock:
            dead = self._lanes[lane].dead
            drained, dead[:] = dead[:limit], dead[limit:]
            return drained

    def ping(self) -> None:
        """See `MessageQueue.ping`."""

    def take(self, lane: str) -> BusMessage | None:
        """Remove and return the oldest bell that has come, or return None."""
        with self._lock:
            messages = self._lanes[lane].messages
            for index, message in enumerate(messages):
                if message.scheduled_for is None or message.scheduled_for <= self._clock.now():
                    del messages[index]
                    return replace(message, delivery_count=message.delivery_count + 1)
            return None

    def give_back(self, lane: str, message: BusMessage) -> None:
        """Return a bell that was taken, as a broker does when its receiver dies."""
        with self._lock:
            found = self._lanes[lane]
            if message.delivery_count >= self._max_delivery_count:
                found.dead.append(replace(message, dead_letter_reason="MaxDeliveryCountExceeded"))
            else:
                found.messages.append(message)
                found.messages.sort(key=lambda one: one.sequence_number)

    def clear(self) -> None:
        """Lose everything, as a broker does that restarts without storage."""
        with self._lock:
            for lane in self._lanes.values():
                lane.messages.clear()
                lane.dead.clear()

    def next_due(self) -> datetime | None:
        """Return when the first scheduled bell comes that has not come yet, over all lanes."""
        now = self._clock.now()
        with self._lock:
            due = [
                message.scheduled_for
                for lane in self._lanes.values()
                for message in lane.messages
                if message.scheduled_for is not None and message.scheduled_for > now
            ]
        return min(due, default=None)

    def _bell(self, lane: str, scheduled_for: datetime | None = None) -> BusMessage:
        return BusMessage(
            sequence_number=next(self._numbers),
            body=json.dumps({"lane": lane}),
            enqueued_at=self._clock.now(),
            scheduled_for=scheduled_for,
            delivery_count=0,
        )
