"""Durations in the notation of .NET, as `host.json` and timer schedules use it."""

import re
from datetime import timedelta

_TIMESPAN = re.compile(
    r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})"
    r"(?::(?P<seconds>\d{1,2})(?:\.(?P<fraction>\d{1,7}))?)?"
)


def parse_timespan(text: str) -> timedelta:
    """Read ``[d.]hh:mm[:ss[.fffffff]]``.

    Raises:
        ValueError: Another form, or a part out of range. .NET reads ``24:00:00`` as 24 days;
            as that is never what was meant, it is refused.
    """
    match = _TIMESPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration of the form [d.]hh:mm:ss")
    parts = {name: int(match[name] or 0) for name in ("days", "hours", "minutes", "seconds")}
    if parts["hours"] > 23 or parts["minutes"] > 59 or parts["seconds"] > 59:
        raise ValueError(f"{text!r}: hours go to 23, minutes and seconds to 59; a day is 1.00:00:00")
    microseconds = int((match["fraction"] or "0").ljust(7, "0")) // 10
    return timedelta(**parts, microseconds=microseconds)


def format_timespan(duration: timedelta) -> str:
    """Write a duration as .NET does, without its fraction: ``1.02:03:04``."""
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{duration.days}." if duration.days else ""
    return f"{days}{hours:02}:{minutes:02}:{seconds:02}"
