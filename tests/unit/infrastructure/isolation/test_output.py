import logging
import os
from collections.abc import Callable

import pytest

from infrastructure.isolation.output import OutputLog

Printed = Callable[..., list[str]]


@pytest.fixture
def printed(caplog: pytest.LogCaptureFixture) -> Printed:
    caplog.set_level(logging.INFO)

    def log(*chunks: bytes, secret: str | None = None) -> list[str]:
        reading, writing = os.pipe()
        output = OutputLog(reading, "raster", secret)
        for chunk in chunks:
            os.write(writing, chunk)
            output.forward(len(chunk))
        os.close(writing)
        output.close()
        return [record.__dict__["line"] for record in caplog.records]

    return log


def test_lines_are_logged_whole_however_they_come(printed: Printed) -> None:
    assert printed(b"one\ntw", b"o\n\nthree") == ["one", "two", "three"]


def test_bytes_that_are_no_text_are_logged(printed: Printed) -> None:
    assert printed(b"a\xffb\n") == ["a\ufffdb"]


def test_a_long_line_is_cut(printed: Printed) -> None:
    [line] = printed(b"x" * 50_000)

    assert len(line) == 2000


def test_the_end_of_too_many_lines_is_left_out(printed: Printed) -> None:
    lines = printed(b"x\n" * 1000)

    assert len(lines) == 201
    assert lines[-1] == "further lines are left out"


@pytest.mark.parametrize("text", ["https://a.example/b?sig=geheim", "404 for /b?sig=geheim", "sig=geheim"])
def test_neither_the_address_nor_its_signature_is_logged(printed: Printed, text: str) -> None:
    [line] = printed(text.encode(), secret="https://a.example/b?sig=geheim")  # noqa: S106 - a made-up one

    assert "geheim" not in line
