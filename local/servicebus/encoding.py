"""AMQP 1.0 values as bytes: where one ends, what a compound one holds, how to write the few that we add.

The broker changes little of a message, so it cuts the encoded form instead of decoding it: that is fast, and
what it does not touch goes out exactly as it came in.

Source:
    OASIS AMQP 1.0, part 1, section 1.6 (type encodings).
"""

import struct
from collections.abc import Sequence
from typing import Any

from proton import Data

from local.servicebus.errors import MalformedMessage

NULL = b"\x40"

# The high half of a constructor says how wide a value is: fixed widths here, a one-byte size for 0xa 0xc 0xe,
# a four-byte size for 0xb 0xd 0xf.
_FIXED_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
_SHORT_SIZES = frozenset((0xA, 0xC, 0xE))
_LONG_SIZES = frozenset((0xB, 0xD, 0xF))
_SIGNED = frozenset((0x51, 0x54, 0x55, 0x61, 0x71, 0x81, 0x83))
_INTEGERS = _SIGNED | {0x43, 0x44, 0x50, 0x52, 0x53, 0x60, 0x70, 0x80}
_EMPTY_LIST = 0x45
_SHORT_COMPOUNDS = frozenset((0xC0, 0xC1))
_LONG_COMPOUNDS = frozenset((0xD0, 0xD1))
_DESCRIBED = 0x00


def value_end(buffer: bytes, start: int) -> int:
    """Return the offset after the value whose constructor is at `start`.

    Raises:
        MalformedMessage: The value is cut off, or its constructor is none.
        IndexError, struct.error: The value is cut off before its size.
    """
    while buffer[start] == _DESCRIBED:
        start = _plain_end(buffer, start + 1)
    return _plain_end(buffer, start)


def _plain_end(buffer: bytes, start: int) -> int:
    end = start + 1 + _width(buffer, start)
    if end > len(buffer):
        raise MalformedMessage(f"the value at byte {start} is cut off")
    return end


def _width(buffer: bytes, start: int) -> int:
    kind = buffer[start] >> 4
    if kind in _FIXED_WIDTHS:
        return _FIXED_WIDTHS[kind]
    if kind in _SHORT_SIZES:
        return 1 + buffer[start + 1]
    if kind in _LONG_SIZES:
        size: int = struct.unpack_from(">I", buffer, start + 1)[0]
        return 4 + size
    raise MalformedMessage(f"unknown constructor 0x{buffer[start]:02x} at byte {start}")


def elements(value: bytes) -> list[bytes]:
    """Cut a list, or a map (keys and values alternating), into its encoded elements.

    Raises:
        MalformedMessage: It is neither, or its parts do not fill it.
    """
    code = value[0]
    if code == _EMPTY_LIST:
        return []
    if code in _SHORT_COMPOUNDS:
        count, start = value[2], 3
    elif code in _LONG_COMPOUNDS:
        count, start = struct.unpack_from(">I", value, 5)[0], 9
    else:
        raise MalformedMessage(f"0x{code:02x} is neither a list nor a map")
    parts = []
    for _ in range(count):
        end = value_end(value, start)
        parts.append(value[start:end])
        start = end
    if start != len(value):
        raise MalformedMessage("a compound value is longer than its elements")
    return parts


def pairs(value: bytes) -> dict[str, bytes]:
    """Cut a map with string or symbol keys into encoded pairs (key and value together), by decoded key."""
    parts = elements(value)
    return {text(key): key + item for key, item in zip(parts[::2], parts[1::2], strict=True)}


def text(value: bytes) -> str:
    """Decode a string or a symbol."""
    if value[0] in (0xA1, 0xA3):
        return value[2:].decode("utf-8")
    if value[0] in (0xB1, 0xB3):
        return value[5:].decode("utf-8")
    raise MalformedMessage(f"0x{value[0]:02x} is neither a string nor a symbol")


def integer(value: bytes) -> int | None:
    """Decode an integer of any width, or a timestamp in milliseconds since 1970; None for null."""
    if value == NULL:
        return None
    if value[0] not in _INTEGERS:
        raise MalformedMessage(f"0x{value[0]:02x} is no integer")
    return int.from_bytes(value[1:], "big", signed=value[0] in _SIGNED)


def encode_uint(value: int) -> bytes:
    """Encode an unsigned 32-bit integer."""
    return struct.pack(">BI", 0x70, value)


def encode(value: Any) -> bytes:
    """Encode a value of any type that proton knows: slow, for what is rare."""
    data = Data()
    data.put_object(value)
    return bytes(data.encode())


def encode_map(items: Sequence[bytes]) -> bytes:
    """Encode a map from encoded pairs."""
    content = b"".join(items)
    return struct.pack(">BII", 0xD1, len(content) + 4, 2 * len(items)) + content


def encode_list(items: Sequence[bytes]) -> bytes:
    """Encode a list from encoded elements."""
    content = b"".join(items)
    return struct.pack(">BII", 0xD0, len(content) + 4, len(items)) + content
