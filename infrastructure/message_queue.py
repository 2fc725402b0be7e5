"""`core.ports.queue.MessageQueue` on Azure Service Bus, or on an emulator of it."""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import MessageSizeExceededError

from config.settings import BusSettings
from core import codes
from core.errors import TransientError
from core.ports.queue import BusMessage
from infrastructure.bus_link import BusLink

logger = logging.getLogger(__name__)

# Operators look at queues by hand or once in minutes, and each look opens a link.
_OPERATOR_SECONDS = 10.0
_PING_SECONDS = 3.0
_DRAIN_SECONDS = 20.0
_DRAIN_BATCH = 100
# Messages that are there and do not come are locked by somebody else.
_LOCKED_AFTER_SECONDS = 2.0
_PEEK_BATCH = 250
# Half of the limit of the standard tier, because the SDK counts too few bytes for each message.
_BATCH_BYTES = 128 * 1024

# One bounded try: `BusLink` makes the second, and a longer outage is the callers' to wait for, who
# know whether their bell still matters.
_SDK_OPTIONS: Mapping[str, Any] = {"retry_total": 0, "try_timeout": 10}
# The SDK's thread that keeps a link alive uses it beside its owner, and its end takes a second of
# every reconnection. A link that was idle for minutes is opened anew instead, in half of that.
_LINK_OPTIONS: Mapping[str, Any] = {"keep_alive": 0}


class ServiceBusQueue:
    """Bells in Service Bus queues. May be used by many threads at once.

    Args:
        settings: The namespace, and how long a request waits for its bell to be sent.
        credential: Used unless the settings hold a connection string.
        queues: Names of the lanes' queues.
    """

    def __init__(
        self, settings: BusSettings, credential: TokenCredential | None, queues: Mapping[str, str]
    ) -> None:
        self._client = _client(settings, credential)
        self._send_seconds = settings.send_timeout_seconds
        self._queues = dict(queues)
        self._lock = Lock()
        self._senders: dict[str, BusLink[ServiceBusSender]] = {}
        self._receivers: dict[tuple[str, bool], BusLink[ServiceBusReceiver]] = {}

    @property
    def host(self) -> str:
        """Return the host of the namespace, for messages."""
        return self._client.fully_qualified_namespace

    def ring(self, lane: str, count: int = 1) -> None:
        """See `MessageQueue.ring`."""

        def send(sender: ServiceBusSender) -> None:
            _send_copies(sender, _bell(lane), count)

        with self._translated("send", lane):
            self._sender(lane).call(send, self._send_seconds)

    def ring_later(self, lane: str, delay: timedelta) -> None:
        """See `MessageQueue.ring_later`."""
        due = datetime.now(UTC) + delay

        def schedule(sender: ServiceBusSender) -> None:
            sender.schedule_messages(ServiceBusMessage(_bell(lane)), due)

        with self._translated("schedule", lane):
            self._sender(lane).call(schedule, self._send_seconds)

    def peek(
        self, lane: str, limit: int, *, dead_letters: bool = False, after: int = 0
    ) -> Sequence[BusMessage]:
        """See `MessageQueue.peek`."""

        def look(receiver: ServiceBusReceiver) -> list[BusMessage]:
            return [_described(message) for message in _peeked(receiver, limit, after)]

        with self._translated("peek", lane):
            return self._receiver(lane, dead_letters=dead_letters).call(look, _OPERATOR_SECONDS)

    def drain_dead_letters(self, lane: str, limit: int) -> Sequence[BusMessage]:
        """See `MessageQueue.drain_dead_letters`.

        Fewer are removed than there are when the time is over.
        """

        def drain(receiver: ServiceBusReceiver) -> list[BusMessage]:
            return _drained(receiver, limit)

        with self._translated("drain dead letters", lane):
            link = self._receiver(lane, dead_letters=True)
            return link.call(drain, _DRAIN_SECONDS + _OPERATOR_SECONDS)

    def ping(self) -> None:
        """See `MessageQueue.ping`."""
        lane = next(iter(self._queues))
        with self._translated("ping", lane):
            self._receiver(lane, dead_letters=False).call(
                lambda receiver: receiver.peek_messages(1, sequence_number=1), _PING_SECONDS
            )

    def close(self) -> None:
        """Close every link."""
        with self._lock:
            links: list[BusLink[Any]] = [*self._senders.values(), *self._receivers.values()]
            self._senders.clear()
            self._receivers.clear()
        for link in links:
            link.close()
        for link in links:
            link.wait_closed()

    def _sender(self, lane: str) -> BusLink[ServiceBusSender]:
        name = self._queues[lane]

        def connect() -> ServiceBusSender:
            return self._client.get_queue_sender(name, **_LINK_OPTIONS)

        with self._lock:
            return self._senders.setdefault(lane, BusLink(f"bus-{name}", connect))

    def _receiver(self, lane: str, *, dead_letters: bool) -> BusLink[ServiceBusReceiver]:
        name = self._queues[lane]
        sub_queue = ServiceBusSubQueue.DEAD_LETTER if dead_letters else None

        def connect() -> ServiceBusReceiver:
            return self._client.get_queue_receiver(name, sub_queue=sub_queue, **_LINK_OPTIONS)

        with self._lock:
            return self._receivers.setdefault((lane, dead_letters), BusLink(f"bus-look-{name}", connect))

    @contextmanager
    def _translated(self, operation: str, lane: str) -> Iterator[None]:
        where = f"{self.host}: {operation} {self._queues[lane]}"
        try:
            yield
        except TimeoutError as error:
            raise TransientError(codes.BUS_UNAVAILABLE, f"{where}: no answer in time") from error
        except (AzureError, OSError) as error:
            raise TransientError(codes.BUS_UNAVAILABLE, f"{where}: {_first_line(error)}") from error


def _client(settings: BusSettings, credential: TokenCredential | None) -> ServiceBusClient:
    if settings.connection_string is not None:
        secret = settings.connection_string.get_secret_value()
        return ServiceBusClient.from_connection_string(secret, **_SDK_OPTIONS)
    if credential is None:
        raise ValueError("neither a connection string nor a credential for Service Bus")
    return ServiceBusClient(settings.namespace, credential, **_SDK_OPTIONS)


def _bell(lane: str) -> str:
    return json.dumps({"lane": lane})


def _send_copies(sender: ServiceBusSender, body: str, count: int) -> None:
    batch = sender.create_message_batch(_BATCH_BYTES)
    for _ in range(count):
        try:
            batch.add_message(ServiceBusMessage(body))
        except MessageSizeExceededError:
            sender.send_messages(batch)
            batch = sender.create_message_batch(_BATCH_BYTES)
            batch.add_message(ServiceBusMessage(body))
    sender.send_messages(batch)


def _peeked(receiver: ServiceBusReceiver, limit: int, after: int) -> list[ServiceBusReceivedMessage]:
    """Peek page by page: the broker ends a page by its size, not by the count that is asked for."""
    found: list[ServiceBusReceivedMessage] = []
    start = after + 1
    while len(found) < limit:
        page = receiver.peek_messages(min(limit - len(found), _PEEK_BATCH), sequence_number=start)
        if not page:
            break
        found += page
        start = (page[-1].sequence_number or 0) + 1
    return found


def _drained(receiver: ServiceBusReceiver, limit: int) -> list[BusMessage]:
    drained: list[BusMessage] = []
    deadline = time.monotonic() + _DRAIN_SECONDS
    try:
        while len(drained) < limit and time.monotonic() < deadline:
            # An empty queue is found by looking, because receiving from one means waiting.
            if not receiver.peek_messages(1, sequence_number=1):
                break
            wanted = min(limit - len(drained), _DRAIN_BATCH)
            messages = receiver.receive_messages(wanted, max_wait_time=_LOCKED_AFTER_SECONDS)
            if not messages:
                break
            for message in messages:
                receiver.complete_message(message)
                drained.append(_described(message))
    except AzureError as error:
        if not drained:
            raise
        # Those that are removed must be reported; the rest is there for the next call.
        logger.warning("dead letters left", extra={"drained": len(drained), "reason": _first_line(error)})
    return drained


def _described(message: ServiceBusReceivedMessage) -> BusMessage:
    return BusMessage(
        sequence_number=message.sequence_number or 0,
        body=_text(message),
        enqueued_at=message.enqueued_time_utc,
        scheduled_for=message.scheduled_enqueue_time_utc,
        delivery_count=message.delivery_count or 0,
        dead_letter_reason=message.dead_letter_reason,
    )


def _text(message: ServiceBusReceivedMessage) -> str:
    if message.body_type is AmqpMessageBodyType.DATA:
        return b"".join(message.body).decode(errors="replace")
    return str(message.body)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
