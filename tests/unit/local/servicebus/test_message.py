import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proton import Data, symbol, timestamp
from proton import Message as ProtonMessage

from local.servicebus import encoding
from local.servicebus.errors import MalformedMessage
from local.servicebus.message import (
    Content,
    Message,
    milliseconds,
    parse_message,
    parse_transfer,
    with_application_properties,
)

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.binary(max_size=300)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


def encoded(**fields: Any) -> bytes:
    return bytes(ProtonMessage(**fields).encode())


def sent_on(content: Content) -> ProtonMessage:
    message = ProtonMessage()
    message.decode(Message(content, sequence_number=7, enqueued_at=NOW, delivery_count=2).encode())
    return message


def binary_body(content: Content) -> bytes:
    message = sent_on(content)
    body: Any = message.body
    return bytes(body)


def described(code: int, value: bytes) -> bytes:
    return struct.pack("BBB", 0, 0x53, code) + value


@given(values, st.dictionaries(st.text(), scalars, max_size=4))
def test_what_the_broker_does_not_change_arrives_as_sent(body: Any, properties: dict[str, Any]) -> None:
    payload = encoded(body=body, properties=properties, id="1", durable=True, priority=7)

    arrived = sent_on(parse_message(payload))

    expected = ProtonMessage()
    expected.decode(payload)
    assert (arrived.body, arrived.properties, arrived.id) == (expected.body, expected.properties, "1")
    assert (arrived.durable, arrived.priority, arrived.delivery_count) == (True, 7, 2)


@given(values)
def test_a_value_ends_where_proton_says(value: Any) -> None:
    data = Data()
    data.put_object(value)
    raw = bytes(data.encode())

    assert encoding.value_end(raw + b"\x40", 0) == len(raw)


def test_the_broker_stamps_the_annotations_and_keeps_the_sender_s() -> None:
    annotations = {symbol("x-opt-partition-key"): "p", symbol("x-opt-sequence-number"): 99}

    arrived = sent_on(parse_message(encoded(annotations=annotations)))

    assert arrived.annotations == {
        "x-opt-partition-key": "p",
        "x-opt-sequence-number": 7,
        "x-opt-enqueued-time": timestamp(milliseconds(NOW)),
        "x-opt-message-state": 0,
    }


def test_a_message_without_an_id_is_given_one() -> None:
    arrived = sent_on(parse_message(encoded(subject="s", correlation_id="c")))

    assert len(str(arrived.id)) == 32
    assert (arrived.subject, arrived.correlation_id) == ("s", "c")


def test_the_time_to_live_and_the_scheduled_time_are_read() -> None:
    due = NOW + timedelta(hours=1)
    annotations = {symbol("x-opt-scheduled-enqueue-time"): timestamp(milliseconds(due))}

    content = parse_message(encoded(ttl=1.5, annotations=annotations))

    assert content.time_to_live == timedelta(milliseconds=1500)
    assert content.scheduled_for == due


@pytest.mark.parametrize("bodies", [[b"one"], [b"x" * 300, b"two", b""]], ids=["one", "several"])
def test_a_batch_is_its_messages(bodies: list[bytes]) -> None:
    parts = [encoded(body=body, inferred=True) for body in bodies]
    batch = b"".join(described(0x75, struct.pack(">BI", 0xB0, len(part)) + part) for part in parts)

    contents = parse_transfer(batch)

    assert [binary_body(content) for content in contents] == bodies


@pytest.mark.parametrize("body", [b"", b"\x00\x53", b"\x00\x53\x75 not a message", b"\x00\x80" * 9])
def test_binary_data_that_only_begins_like_a_message_is_no_batch(body: bytes) -> None:
    [content] = parse_transfer(encoded(body=body, inferred=True))

    assert binary_body(content) == body


def test_application_properties_are_added_and_replaced() -> None:
    content = parse_message(encoded(body="b", properties={"keep": 1, "change": "old"}))

    changed = with_application_properties(content, {"change": "new", "add": 2.5, "long": "x" * 300})

    arrived = sent_on(changed)
    assert arrived.properties == {"keep": 1, "change": "new", "add": 2.5, "long": "x" * 300}
    assert arrived.body == "b"


@pytest.mark.parametrize(
    "payload",
    [
        b"x",
        b"\x00",
        b"\x00\x53\x10\x40",
        b"\x00\x53\x75\xb0\x00\x00",
        b"\x00\x53\x72\xc1\x02\x01\x40",
        b"\x00\xa3",
    ],
)
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_message(payload)


@given(st.binary(max_size=60), st.sampled_from([0x70, 0x72, 0x73, 0x74, 0x75]))
def test_nothing_that_a_client_sends_breaks_the_parser(noise: bytes, code: int) -> None:
    try:
        contents = parse_transfer(described(code, noise))
    except MalformedMessage:
        return
    assert len(contents) >= 1


def test_a_scheduled_time_beyond_the_calendar_is_refused() -> None:
    annotations = {symbol("x-opt-scheduled-enqueue-time"): timestamp(2**62)}

    with pytest.raises(MalformedMessage):
        parse_message(encoded(annotations=annotations))
