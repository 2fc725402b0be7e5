"""A queue with its locks, its schedule and its dead letters: no sockets, no clock but the one given."""

import heapq
import itertools
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from local.servicebus.agenda import Agenda
from local.servicebus.errors import MessageNotFound
from local.servicebus.locks import Locks
from local.servicebus.message import Content, Message, MessageState, with_application_properties
from local.servicebus.settings import QueueProperties

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


class Queue:
    """A queue, or the dead-letter queue of one.

    Args:
        name: As in the entities file; a sub-queue's has its suffix.
        dead_letters: Where dead letters go; None makes this one a dead-letter queue, in which messages
            neither expire nor run out of deliveries.
    """

    def __init__(
        self, name: str, properties: QueueProperties, clock: Clock, dead_letters: "Queue | None" = None
    ) -> None:
        self.name = name
        self._properties = properties
        self._clock = clock
        self._dead_letters = dead_letters
        self._numbers = itertools.count(1)
        self._messages: dict[int, Message] = {}
        self._ready: list[int] = []
        self._locks = Locks(clock, properties.lock_duration)
        self._expiries: Agenda[int] = Agenda(self._expiry_of)
        self._schedule: Agenda[int] = Agenda(self._schedule_of)

    def send(self, content: Content) -> int:
        """Enqueue a message, or schedule it if its annotation names a time to come; return its number."""
        now = self._clock()
        message = Message(content, next(self._numbers), enqueued_at=now)
        self._messages[message.sequence_number] = message
        if content.scheduled_for is not None and content.scheduled_for > now:
            message.state = MessageState.SCHEDULED
            self._schedule.add(content.scheduled_for, message.sequence_number)
        else:
            self._activate(message)
        return message.sequence_number

    def cancel_scheduled(self, numbers: Iterable[int]) -> None:
        """Remove scheduled messages: all of them, or none.

        Raises:
            MessageNotFound: One is not there, or its time has come.
        """
        for message in self._in_state(numbers, MessageState.SCHEDULED):
            del self._messages[message.sequence_number]

    def receive(self, *, lock: bool) -> Message | None:
        """Lock, or else remove, the oldest waiting message; None if there is none."""
        self.advance()
        while self._ready:
            message = self._messages.get(heapq.heappop(self._ready))
            if message and message.state is MessageState.ACTIVE and message.lock_token is None:
                return self._hand_out(message, lock=lock)
        return None

    def receive_deferred(self, numbers: Iterable[int], *, lock: bool) -> list[Message]:
        """Lock, or else remove, deferred messages: all of them, or none.

        Raises:
            MessageNotFound: One is not there, not deferred, or locked.
        """
        found = self._in_state(numbers, MessageState.DEFERRED)
        return [self._hand_out(message, lock=lock) for message in found]

    def renew(self, token: bytes) -> datetime:
        """Lock a message for another lock duration from now; return the new end.

        Raises:
            MessageLockLost: Nothing is locked by this token.
        """
        self.advance()
        return self._locks.renew(token)

    def complete(self, token: bytes) -> None:
        """Remove a locked message.

        Raises:
            MessageLockLost: Nothing is locked by this token.
        """
        del self._messages[self._unlock(token).sequence_number]

    def release(self, token: bytes) -> None:
        """Give a locked message back as if it had not been delivered.

        Raises:
            MessageLockLost: Nothing is locked by this token.
        """
        self._put_back(self._unlock(token))

    def abandon(self, token: bytes, changes: Mapping[str, Any] | None = None) -> None:
        """Give a locked message back, which counts as a delivery, with application properties changed.

        Raises:
            MessageLockLost: Nothing is locked by this token.
        """
        self._count_delivery(self._unlock(token, changes))

    def defer(self, token: bytes, changes: Mapping[str, Any] | None = None) -> None:
        """Set a locked message aside, to be received by its number, with application properties changed.

        Raises:
            MessageLockLost: Nothing is locked by this token.
        """
        message = self._unlock(token, changes)
        message.state = MessageState.DEFERRED
        self._put_back(message)

    def dead_letter(self, token: bytes, changes: Mapping[str, Any] | None = None) -> None:
        """Move a locked message to the dead letters; `changes` hold the reason and the description.

        Raises:
            MessageLockLost: Nothing is locked by this token.
        """
        self._bury(self._unlock(token), changes)

    def peek(self, from_number: int, limit: int) -> list[Message]:
        """Return messages in order of their numbers, whatever their state, without touching them."""
        self.advance()
        numbers = sorted(number for number in self._messages if number >= from_number)
        return [self._messages[number] for number in numbers[:limit]]

    def next_due(self) -> datetime | None:
        """Return when a lock, a message's life or its waiting ends next."""
        dues = (self._locks.next_end(), self._expiries.next(), self._schedule.next())
        return min((due for due in dues if due is not None), default=None)

    def advance(self) -> None:
        """Do what is due by the clock."""
        now = self._clock()
        for number in self._schedule.pop_due(now):
            # A scheduled message gets its place in the queue, and so its number, when its time comes.
            message = self._messages.pop(number)
            message.sequence_number = next(self._numbers)
            message.enqueued_at, message.state = now, MessageState.ACTIVE
            self._messages[message.sequence_number] = message
            self._activate(message)
        for message in self._locks.expire(now):
            logger.info(
                "lock expired", extra={"queue": self.name, "sequence_number": message.sequence_number}
            )
            self._count_delivery(message)
        for number in self._expiries.pop_due(now):
            self._expire(self._messages[number])

    def _activate(self, message: Message) -> None:
        lives = (message.content.time_to_live, self._properties.default_message_time_to_live)
        life = min((life for life in lives if life is not None), default=None)
        message.expires_at = _later(message.enqueued_at, life)
        self._put_back(message)

    def _hand_out(self, message: Message, *, lock: bool) -> Message:
        if lock:
            self._locks.lock(message)
        else:
            del self._messages[message.sequence_number]
        return message

    def _unlock(self, token: bytes, changes: Mapping[str, Any] | None = None) -> Message:
        self.advance()
        message = self._locks.unlock(token)
        _change(message, changes)
        return message

    def _put_back(self, message: Message) -> None:
        """Make a message that nobody holds available again, or expire it if its life ended meanwhile."""
        if message.expires_at is not None and message.expires_at <= self._clock():
            self._expire(message)
            return
        if message.expires_at is not None:
            self._expiries.add(message.expires_at, message.sequence_number)
        if message.state is MessageState.ACTIVE:
            heapq.heappush(self._ready, message.sequence_number)

    def _count_delivery(self, message: Message) -> None:
        message.delivery_count += 1
        limit = self._properties.max_delivery_count
        if self._dead_letters is None or limit is None or message.delivery_count < limit:
            self._put_back(message)
        else:
            description = f"Message could not be consumed after {limit} delivery attempts."
            self._bury(message, _reason("MaxDeliveryCountExceeded", description))

    def _expire(self, message: Message) -> None:
        if self._dead_letters is not None and self._properties.dead_lettering_on_message_expiration:
            self._bury(message, _reason("TTLExpiredException", "The message expired and was dead lettered."))
        else:
            del self._messages[message.sequence_number]

    def _bury(self, message: Message, changes: Mapping[str, Any] | None) -> None:
        del self._messages[message.sequence_number]
        _change(message, changes)
        (self._dead_letters or self)._admit(message)  # noqa: SLF001 - the sub-queue is a part of this queue.
        logger.info(
            "message dead-lettered",
            extra={"queue": self.name, "sequence_number": message.sequence_number, **(changes or {})},
        )

    def _admit(self, message: Message) -> None:
        """Take in a dead letter, which keeps its number and lives for ever."""
        message.expires_at, message.state = None, MessageState.ACTIVE
        self._messages[message.sequence_number] = message
        self._put_back(message)

    def _in_state(self, numbers: Iterable[int], state: MessageState) -> list[Message]:
        self.advance()
        found = []
        for number in numbers:
            message = self._messages.get(number)
            if message is None or message.state is not state or message.lock_token is not None:
                raise MessageNotFound(f"{self.name} has no {state.name.lower()} message {number}")
            found.append(message)
        return found

    def _expiry_of(self, number: int) -> datetime | None:
        # A locked message does not expire before its lock ends.
        message = self._messages.get(number)
        return message.expires_at if message and message.lock_token is None else None

    def _schedule_of(self, number: int) -> datetime | None:
        message = self._messages.get(number)
        if message is None or message.state is not MessageState.SCHEDULED:
            return None
        return message.content.scheduled_for


def _change(message: Message, changes: Mapping[str, Any] | None) -> None:
    if changes:
        message.content = with_application_properties(message.content, changes)


def _reason(reason: str, description: str) -> dict[str, str]:
    return {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}


def _later(instant: datetime, life: timedelta | None) -> datetime | None:
    try:
        return None if life is None else instant + life
    except OverflowError:
        # The SDKs write the largest duration of .NET for "for ever".
        return None
