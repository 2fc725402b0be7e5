"""Hand the messages of a queue to the consumers that have credit, in turn."""

from typing import Protocol

from local.servicebus.message import Message
from local.servicebus.queue import Queue


class Consumer(Protocol):
    """The end of a link over which a client receives."""

    @property
    def locks(self) -> bool:
        """Whether messages are locked for it (peek-lock), or removed (receive and delete)."""

    @property
    def has_credit(self) -> bool:
        """Whether the client takes another message."""

    def deliver(self, message: Message) -> None:
        """Send a message, which uses up one credit."""


class Dispatcher:
    """The consumers of one queue that have credit, the one that waited longest first."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        # A dict keeps its order; the values mean nothing.
        self._waiting: dict[Consumer, None] = {}

    def join(self, consumer: Consumer) -> None:
        """Let a consumer wait for messages; one that waits already keeps its turn."""
        self._waiting.setdefault(consumer)

    def leave(self, consumer: Consumer) -> None:
        """Send nothing more to a consumer; what it holds stays locked."""
        self._waiting.pop(consumer, None)

    def pump(self) -> None:
        """Deliver while there are messages and credit."""
        self.queue.advance()
        while self._waiting:
            consumer = next(iter(self._waiting))
            message = self.queue.receive(lock=consumer.locks)
            if message is None:
                return
            del self._waiting[consumer]
            consumer.deliver(message)
            if consumer.has_credit:
                self._waiting[consumer] = None
