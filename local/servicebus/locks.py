"""Which message is locked by which token, and until when."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from local.servicebus.agenda import Agenda
from local.servicebus.errors import MessageLockLost
from local.servicebus.message import Message

# proton's binding reads delivery tags as UTF-8 text, so a token must not have a byte over 0x7f.
_ASCII = int.from_bytes(b"\x7f" * 16, "big")


class Locks:
    """The locks of one queue.

    Args:
        duration: How long a lock holds from when it is taken or renewed.
    """

    def __init__(self, clock: Callable[[], datetime], duration: timedelta) -> None:
        self._clock = clock
        self._duration = duration
        self._held: dict[bytes, Message] = {}
        self._ends: Agenda[bytes] = Agenda(self._end_of)

    def lock(self, message: Message) -> None:
        """Lock a message by a new token of 16 bytes."""
        message.lock_token = (int.from_bytes(os.urandom(16), "big") & _ASCII).to_bytes(16, "big")
        self._held[message.lock_token] = message
        self._extend(message, message.lock_token)

    def renew(self, token: bytes) -> datetime:
        """Let the lock hold for its duration from now; return its new end.

        Raises:
            MessageLockLost: Nothing is locked by this token.
        """
        return self._extend(self._holder(token), token)

    def unlock(self, token: bytes) -> Message:
        """Take the lock off and return the message.

        Raises:
            MessageLockLost: Nothing is locked by this token.
        """
        message = self._holder(token)
        del self._held[token]
        message.lock_token = message.locked_until = None
        return message

    def expire(self, now: datetime) -> Iterator[Message]:
        """Take off the locks that have ended, and return their messages."""
        for token in self._ends.pop_due(now):
            yield self.unlock(token)

    def next_end(self) -> datetime | None:
        """Return when the next lock ends."""
        return self._ends.next()

    def _holder(self, token: bytes) -> Message:
        message = self._held.get(token)
        if message is None:
            raise MessageLockLost(
                f"no message is locked by {token.hex()}: it was settled, or the lock expired"
            )
        return message

    def _extend(self, message: Message, token: bytes) -> datetime:
        message.locked_until = until = self._clock() + self._duration
        self._ends.add(until, token)
        return until

    def _end_of(self, token: bytes) -> datetime | None:
        message = self._held.get(token)
        return message.locked_until if message else None
