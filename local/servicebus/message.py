"""A message as the broker keeps it: encoded, cut where the broker has to write."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any
from uuid import uuid4

from local.servicebus import encoding
from local.servicebus.errors import MalformedMessage

HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS, PROPERTIES = 0x70, 0x71, 0x72, 0x73
APPLICATION_PROPERTIES, DATA, FOOTER = 0x74, 0x75, 0x78

SCHEDULED_ENQUEUE_TIME = "x-opt-scheduled-enqueue-time"
# The broker's own word on a message; what a sender says under these names (an SDK that sends on what it
# received) is dropped.
_STAMPS = frozenset(
    (
        "x-opt-sequence-number",
        "x-opt-enqueued-time",
        "x-opt-locked-until",
        "x-opt-lock-token",
        "x-opt-message-state",
        "x-opt-enqueue-sequence-number",
    )
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Section = tuple[int, bytes]


class MessageState(IntEnum):
    """What `x-opt-message-state` says."""

    ACTIVE = 0  # waiting to be received, or locked
    DEFERRED = 1  # received only by sequence number
    SCHEDULED = 2  # waiting for its time


@dataclass(frozen=True, slots=True)
class Content:
    """What a sender sent.

    Args:
        header: The first four fields of the header, encoded: durable, priority, ttl, first-acquirer.
        annotations: Encoded pairs of the message annotations without the broker's own.
        rest: Properties to footer, as they came.
        time_to_live: From the header; None is the entity's.
        scheduled_for: From the annotation; None is now.
    """

    header: tuple[bytes, bytes, bytes, bytes]
    annotations: tuple[bytes, ...]
    rest: bytes
    time_to_live: timedelta | None = None
    scheduled_for: datetime | None = None


@dataclass(slots=True, eq=False)
class Message:
    """A message in a queue.

    Args:
        sequence_number: Place in the queue.
        delivery_count: Deliveries that ended in an abandon or in an expired lock.
        lock_token: Set while it is locked; also the tag of its delivery.
    """

    content: Content
    sequence_number: int
    enqueued_at: datetime
    expires_at: datetime | None = None
    state: MessageState = MessageState.ACTIVE
    delivery_count: int = 0
    lock_token: bytes | None = None
    locked_until: datetime | None = None

    def encode(self) -> bytes:
        """Write the message for a receiver, with the annotations of the broker."""
        header = encoding.encode_list((*self.content.header, encoding.encode_uint(self.delivery_count)))
        stamps = [
            _annotation(b"x-opt-sequence-number", 0x81, self.sequence_number),
            _annotation(b"x-opt-enqueued-time", 0x83, milliseconds(self.enqueued_at)),
            _annotation(b"x-opt-message-state", 0x81, self.state),
        ]
        if self.locked_until is not None:
            stamps.append(_annotation(b"x-opt-locked-until", 0x83, milliseconds(self.locked_until)))
        annotations = encoding.encode_map((*self.content.annotations, *stamps))
        return b"".join((b"\x00\x53\x70", header, b"\x00\x53\x72", annotations, self.content.rest))


def milliseconds(instant: datetime) -> int:
    """Return an AMQP timestamp: milliseconds since 1970."""
    return (instant - EPOCH) // _MILLISECOND


def parse_transfer(payload: bytes) -> list[Content]:
    """Read what one transfer carried: a message, or the messages of a batch.

    A batch has message format 0x80013700, which proton's engine does not hand on; so it is known by its body:
    data sections, each a whole encoded message.

    Raises:
        MalformedMessage: It is no AMQP message.
    """
    with _malformed():
        sections = _sections(payload)
        batch = _batch(sections)
        return [_parse(sections)] if batch is None else batch


def _batch(sections: list[Section]) -> list[Content] | None:
    """Return the messages of a batch; None if it is a message of its own."""
    body = [value for code, value in sections if DATA <= code < FOOTER]
    is_data = all(code == DATA for code, _ in sections if DATA <= code < FOOTER)
    if not (body and is_data and all(_looks_like_message(_data(value)) for value in body)):
        return None
    try:
        with _malformed():
            return [_parse(_sections(_data(value))) for value in body]
    except MalformedMessage:
        # A payload that only begins like a message is somebody's binary data.
        return None


def parse_message(payload: bytes) -> Content:
    """Read one encoded message.

    Raises:
        MalformedMessage: It is no AMQP message.
    """
    with _malformed():
        return _parse(_sections(payload))


@contextmanager
def _malformed() -> Iterator[None]:
    """Say of any value that does not hold what its place demands that the message is malformed."""
    try:
        yield
    except (IndexError, ValueError, OverflowError, struct.error) as error:
        raise MalformedMessage(f"no AMQP message: {error}") from error


def with_application_properties(content: Content, changes: Mapping[str, Any]) -> Content:
    """Return the content with these application properties set."""
    sections = _sections(content.rest)
    known = [value for code, value in sections if code == APPLICATION_PROPERTIES]
    properties = encoding.pairs(known[0]) if known else {}
    for name, value in changes.items():
        properties[name] = encoding.encode(name) + encoding.encode(value)
    section = (APPLICATION_PROPERTIES, encoding.encode_map(tuple(properties.values())))
    before = [item for item in sections if item[0] < APPLICATION_PROPERTIES]
    after = [item for item in sections if item[0] > APPLICATION_PROPERTIES]
    return replace(content, rest=_join([*before, section, *after]))


def _annotation(name: bytes, code: int, value: int) -> bytes:
    return struct.pack(f">BB{len(name)}sBq", 0xA3, len(name), name, code, value)


def _looks_like_message(payload: bytes) -> bool:
    return len(payload) > 3 and payload[:2] in (b"\x00\x53", b"\x00\x80")


def _data(value: bytes) -> bytes:
    """Return the content of a data section's binary."""
    return value[2:] if value[0] == 0xA0 else value[5:]


def _sections(payload: bytes) -> list[Section]:
    """Cut a message into its sections, each with its code and its encoded value."""
    sections = []
    start = 0
    while start < len(payload):
        if payload[start] != 0:
            raise MalformedMessage(f"byte {start} begins no section")
        descriptor_end = encoding.value_end(payload, start + 1)
        end = encoding.value_end(payload, descriptor_end)
        code = encoding.integer(payload[start + 1 : descriptor_end])
        if code is None or not HEADER <= code <= FOOTER:
            raise MalformedMessage(f"byte {start} begins no section of a message")
        sections.append((code, payload[descriptor_end:end]))
        start = end
    return sections


def _parse(sections: list[Section]) -> Content:
    heads = {code: value for code, value in sections if code < PROPERTIES}
    fields = encoding.elements(heads[HEADER]) if HEADER in heads else []
    durable, priority, ttl, first = (*fields[:4], *[encoding.NULL] * (4 - len(fields)))[:4]
    annotations = encoding.pairs(heads[MESSAGE_ANNOTATIONS]) if MESSAGE_ANNOTATIONS in heads else {}
    time_to_live = encoding.integer(ttl)
    return Content(
        header=(durable, priority, ttl, first),
        annotations=tuple(pair for name, pair in annotations.items() if name not in _STAMPS),
        rest=_join([_identified(sections), *(item for item in sections if item[0] > PROPERTIES)]),
        time_to_live=None if time_to_live is None else timedelta(milliseconds=time_to_live),
        scheduled_for=_scheduled_for(annotations),
    )


def _identified(sections: list[Section]) -> Section:
    """Return the properties with a message id; the service, too, gives one to a message that has none."""
    found = [value for code, value in sections if code == PROPERTIES]
    fields = encoding.elements(found[0]) if found else []
    if fields and fields[0] != encoding.NULL:
        return PROPERTIES, found[0]
    identity = b"\xa1\x20" + uuid4().hex.encode("ascii")
    return PROPERTIES, encoding.encode_list([identity, *fields[1:]])


def _scheduled_for(annotations: Mapping[str, bytes]) -> datetime | None:
    pair = annotations.get(SCHEDULED_ENQUEUE_TIME)
    if pair is None:
        return None
    due = encoding.integer(pair[encoding.value_end(pair, 0) :])
    return None if due is None else EPOCH + timedelta(milliseconds=due)


def _join(sections: list[Section]) -> bytes:
    return b"".join(struct.pack("BBB", 0, 0x53, code) + value for code, value in sections)
