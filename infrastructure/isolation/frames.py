"""JSON messages on a stream socket, each behind its length."""

import json
import socket
from collections.abc import Iterator

from core.json import JsonObject, dumps

_HEADER_NBYTES = 4
# The engine refuses results over 256 KiB; a child that sends far more is out of control.
_LARGEST_NBYTES = 64 * 1024 * 1024


class FrameError(Exception):
    """What came is no frame of this protocol."""


def send_frame(channel: socket.socket, message: JsonObject) -> None:
    """Send one message whole.

    Raises:
        OSError: The other end is gone.
        TypeError: A value has no JSON form.
    """
    # File names from the system can hold lone surrogates, which UTF-8 cannot carry.
    payload = dumps(message).encode(errors="replace")
    channel.sendall(len(payload).to_bytes(_HEADER_NBYTES, "big") + payload)


def receive_frame(channel: socket.socket) -> JsonObject:
    """Wait for one message.

    Raises:
        EOFError: The other end closed the channel first.
        FrameError: What came is no frame.
    """
    frames = FrameBuffer()
    while True:
        chunk = channel.recv(frames.missing)
        if not chunk:
            raise EOFError("the channel was closed")
        for message in frames.feed(chunk):
            return message


class FrameBuffer:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    @property
    def missing(self) -> int:
        """How many bytes complete the next header, or the frame that it announces."""
        return self._needed() - len(self._bytes)

    def feed(self, chunk: bytes) -> Iterator[JsonObject]:
        """Add what was read and yield the messages that are complete.

        Raises:
            FrameError: A frame is too large, or holds no JSON object.
        """
        self._bytes += chunk
        while len(self._bytes) > _HEADER_NBYTES and self.missing <= 0:
            end = self._needed()
            payload = bytes(self._bytes[_HEADER_NBYTES:end])
            del self._bytes[:end]
            yield _decode(payload)

    def _needed(self) -> int:
        if len(self._bytes) < _HEADER_NBYTES:
            return _HEADER_NBYTES
        nbytes = int.from_bytes(self._bytes[:_HEADER_NBYTES], "big")
        if nbytes > _LARGEST_NBYTES:
            raise FrameError(f"a frame of {nbytes} bytes")
        return _HEADER_NBYTES + nbytes


def _decode(payload: bytes) -> JsonObject:
    try:
        message = json.loads(payload)
    except ValueError as error:
        raise FrameError("a frame that is not JSON") from error
    if not isinstance(message, dict):
        raise FrameError("a frame that is not a JSON object")
    return message
