import json
import socket

import pytest

from infrastructure.isolation.frames import FrameBuffer, FrameError, receive_frame, send_frame


def frame(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def test_a_message_crosses_a_socket() -> None:
    here, there = socket.socketpair()
    with here, there:
        send_frame(here, {"name": "Görlitz", "parts": [1, None]})

        assert receive_frame(there) == {"name": "Görlitz", "parts": [1, None]}


def test_reading_one_message_leaves_the_next() -> None:
    here, there = socket.socketpair()
    with here, there:
        send_frame(here, {"n": 1})
        send_frame(here, {"n": 2})

        assert [receive_frame(there), receive_frame(there)] == [{"n": 1}, {"n": 2}]


def test_a_file_name_that_is_no_text_can_be_sent() -> None:
    here, there = socket.socketpair()
    with here, there:
        send_frame(here, {"name": "a\udcff.tif"})

        assert receive_frame(there) == {"name": "a?.tif"}


def test_a_closed_channel_is_an_end_of_file() -> None:
    here, there = socket.socketpair()
    here.close()
    with there, pytest.raises(EOFError):
        receive_frame(there)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_messages_come_whole_however_the_stream_is_cut(size: int) -> None:
    messages = [{}, {"a": "b" * 100}, {"c": 1}]
    stream = b"".join(frame(json.dumps(each).encode()) for each in messages)
    frames = FrameBuffer()

    received = [
        message
        for start in range(0, len(stream), size)
        for message in frames.feed(stream[start : start + size])
    ]

    assert received == messages


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff{}", frame(b"{"), frame(b"[1]"), frame(b"\xff\xfe")])
def test_what_is_no_frame_is_refused(garbage: bytes) -> None:
    with pytest.raises(FrameError):
        list(FrameBuffer().feed(garbage))
