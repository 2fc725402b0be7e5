"""Durations as .NET writes them."""

from datetime import timedelta

import pytest

from local.functions_host.timespan import format_timespan, parse_timespan


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:05:00", timedelta(minutes=5)),
        ("01:30", timedelta(hours=1, minutes=30)),
        ("2.03:04:05.5", timedelta(days=2, hours=3, minutes=4, seconds=5, milliseconds=500)),
        ("00:00:00.80", timedelta(milliseconds=800)),
    ],
)
def test_durations_are_read(text: str, expected: timedelta) -> None:
    assert parse_timespan(text) == expected


@pytest.mark.parametrize("text", ["", "5", "24:00:00", "00:60:00", "00:00:60", "-00:00:01", "1:2:3:4"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_timespan(text)


def test_durations_are_written_as_they_are_read() -> None:
    assert format_timespan(timedelta(days=1, hours=2, minutes=3, seconds=4)) == "1.02:03:04"
    assert parse_timespan(format_timespan(timedelta(minutes=30))) == timedelta(minutes=30)
