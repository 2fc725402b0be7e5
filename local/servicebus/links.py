"""The two kinds of links to an entity: producers, over which clients send, and consumers."""

import itertools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from proton import Delivery, Disposition, Link, Receiver, Sender

from local.servicebus.dispatcher import Dispatcher
from local.servicebus.errors import MessageTooLarge, ServiceBusError, condition_of
from local.servicebus.message import Message, parse_transfer
from local.servicebus.queue import Queue

logger = logging.getLogger(__name__)

# The limit of the standard tier, for a message and for a batch.
MAX_MESSAGE_SIZE = 256 * 1024
# What the service grants a sender.
_CREDIT = 1000


class Node:
    """Our end of a link; what comes over it ends here.

    Args:
        wake: Tells the connection that there is something to send.
    """

    def __init__(self, link: Link, wake: Callable[[], None]) -> None:
        self.link = link
        self.wake = wake

    def on_delivery(self, delivery: Delivery) -> None:
        """Take in what the client sent, or how it settled what it received."""

    def on_flow(self) -> None:
        """Take up, or give back, the credit that the client grants."""

    def stop(self) -> None:
        """Let go of what the link was connected with."""


class ProducerNode(Node):
    """Puts what a client sends into a queue."""

    def __init__(self, link: Receiver, wake: Callable[[], None], queue: Queue) -> None:
        super().__init__(link, wake)
        self._receiver = link
        self._queue = queue
        link.flow(_CREDIT)

    def on_delivery(self, delivery: Delivery) -> None:
        """Enqueue a message or a batch, or refuse it, when all of it is there."""
        if delivery.partial or not delivery.readable:
            return
        payload = self._receiver.recv(delivery.pending)
        self._receiver.advance()
        try:
            self._enqueue(bytes(payload or b""))
        except ServiceBusError as error:
            refuse(delivery, error)
        else:
            delivery.update(Disposition.ACCEPTED)
            delivery.settle()
        if self._receiver.credit < _CREDIT // 2:
            self._receiver.flow(_CREDIT - self._receiver.credit)

    def _enqueue(self, payload: bytes) -> None:
        if len(payload) > MAX_MESSAGE_SIZE:
            raise MessageTooLarge(f"{len(payload)} bytes are over the limit of {MAX_MESSAGE_SIZE}")
        for content in parse_transfer(payload):
            self._queue.send(content)


class ConsumerNode(Node):
    """Sends messages to a client and settles them as it says."""

    def __init__(self, link: Sender, wake: Callable[[], None], dispatcher: Dispatcher) -> None:
        super().__init__(link, wake)
        self._sender = link
        self._dispatcher = dispatcher
        self._tags = itertools.count(1)
        self.locks = link.remote_snd_settle_mode != Link.SND_SETTLED

    @property
    def has_credit(self) -> bool:
        """Whether the client takes another message."""
        return self._sender.credit > 0

    def deliver(self, message: Message) -> None:
        """Send a message; one that is not locked is settled with that."""
        token = message.lock_token
        tag = token.decode("ascii") if token else str(next(self._tags))
        delivery = self._sender.delivery(tag)
        self._sender.stream(message.encode())
        self._sender.advance()
        if token is None:
            delivery.settle()
        self.wake()

    def on_flow(self) -> None:
        """Take up, or give back, the credit that the client grants."""
        if self.has_credit:
            self._dispatcher.join(self)
            self._dispatcher.pump()
        if self._sender.drain_mode:
            self._sender.drained()
        if not self.has_credit:
            self._dispatcher.leave(self)

    def on_delivery(self, delivery: Delivery) -> None:
        """Settle a message as the client says, and tell it the outcome."""
        outcome = delivery.remote_state
        if outcome in _SETTLEMENTS:
            try:
                _SETTLEMENTS[outcome](self._dispatcher.queue, delivery.tag.encode("ascii"), delivery.remote)
            except ServiceBusError as error:
                refuse(delivery, error)
            else:
                delivery.update(outcome)
                delivery.settle()
        elif delivery.settled:
            # Settled without an outcome says nothing; the lock ends by itself.
            delivery.settle()

    def stop(self) -> None:
        """Send nothing more. As with the real service, locks stay until they end."""
        self._dispatcher.leave(self)


def refuse(delivery: Delivery, error: ServiceBusError) -> None:
    """Reject a delivery, or a settlement, with its error condition."""
    logger.warning("delivery refused", extra={"condition": error.condition, "reason": str(error)})
    delivery.local.condition = condition_of(error)
    delivery.update(Disposition.REJECTED)
    delivery.settle()


def _modify(queue: Queue, token: bytes, disposition: Disposition) -> None:
    changes = _plain(disposition.annotations)
    if disposition.undeliverable:
        queue.defer(token, changes)
    else:
        queue.abandon(token, changes)


def _reject(queue: Queue, token: bytes, disposition: Disposition) -> None:
    condition = disposition.condition
    queue.dead_letter(token, _plain(condition.info if condition else None))


def _plain(values: Any) -> Mapping[str, Any]:
    return {str(name): value for name, value in (values or {}).items() if value is not None}


_SETTLEMENTS: Mapping[int, Callable[[Queue, bytes, Disposition], None]] = {
    Disposition.ACCEPTED: lambda queue, token, _: queue.complete(token),
    Disposition.RELEASED: lambda queue, token, _: queue.release(token),
    Disposition.MODIFIED: _modify,
    Disposition.REJECTED: _reject,
}
