"""Timer schedules: NCRONTAB expressions and fixed intervals, both in UTC.

Source:
    The grammar of the NCrontab library that the real host uses: six fields (second, minute,
    hour, day, month, day of week) or five without the second. Day and day of week must both
    match. A reversed range is read the other way round; ``5/10`` means every tenth from 5 on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from local.functions_host.timespan import parse_timespan

# 29 February falls on each day of the week within 40 years, also across 2100.
_SEARCH_YEARS = 41

_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_ITEM = re.compile(r"(?P<start>\*|\w+)(?:-(?P<end>\w+))?(?:/(?P<step>\d+))?")


class Schedule(Protocol):
    """When a timer runs."""

    def next_after(self, moment: datetime) -> datetime:
        """Return the first occurrence later than `moment`, which must be aware."""


@dataclass(frozen=True)
class Interval:
    """A fixed period from one run to the next."""

    period: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """Add the period."""
        return moment + self.period


@dataclass(frozen=True)
class Crontab:
    """The values that each field allows, in ascending order; days of the week from Sunday = 0."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def next_after(self, moment: datetime) -> datetime:
        """Return the first matching second after `moment`.

        Raises:
            ValueError: No day ever matches, as with ``0 0 0 30 2 *``.
        """
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        for day in self._days_from(start.date()):
            earliest = start.time() if day == start.date() else time.min
            if (found := self._first_time(earliest)) is not None:
                return datetime.combine(day, found, tzinfo=UTC)
        raise ValueError("no date ever matches the schedule")

    def _days_from(self, first: date) -> Iterator[date]:
        for year in range(first.year, min(first.year + _SEARCH_YEARS, date.max.year + 1)):
            for month in self.months:
                if (year, month) >= (first.year, first.month):
                    yield from (day for day in self._days_of(year, month) if day >= first)

    def _days_of(self, year: int, month: int) -> Iterator[date]:
        following = date(year + month // 12, month % 12 + 1, 1)
        length = (following - timedelta(days=1)).day
        for number in self.days:
            if number <= length and date(year, month, number).isoweekday() % 7 in self.weekdays:
                yield date(year, month, number)

    def _first_time(self, earliest: time) -> time | None:
        for hour in self.hours:
            for minute in self.minutes:
                if (hour, minute) < (earliest.hour, earliest.minute):
                    continue
                for second in self.seconds:
                    if time(hour, minute, second) >= earliest:
                        return time(hour, minute, second)
        return None


@dataclass(frozen=True)
class _Field:
    """Name, range and symbolic values of one field."""

    name: str
    least: int
    greatest: int
    symbols: tuple[str, ...] = ()

    def parse(self, text: str) -> tuple[int, ...]:
        values: set[int] = set()
        for item in text.split(","):
            values.update(self._item(item))
        return tuple(sorted(values))

    def _item(self, text: str) -> range:
        match = _ITEM.fullmatch(text)
        if match is None or (match["start"] == "*" and match["end"]):
            raise ValueError(f"{self.name}: {text!r} is no value, range or step")
        step = int(match["step"] or 1)
        if step < 1:
            raise ValueError(f"{self.name}: the step of {text!r} must be 1 or more")
        first, last = self._bounds(match)
        return range(min(first, last), max(first, last) + 1, step)

    def _bounds(self, match: re.Match[str]) -> tuple[int, int]:
        if match["start"] == "*":
            return self.least, self.greatest
        first = self._value(match["start"])
        if match["end"]:
            return first, self._value(match["end"])
        return first, self.greatest if match["step"] else first

    def _value(self, text: str) -> int:
        value = int(text) if text.isdecimal() else self._symbol(text)
        if not self.least <= value <= self.greatest:
            raise ValueError(f"{self.name}: {text} is not from {self.least} to {self.greatest}")
        return value

    def _symbol(self, text: str) -> int:
        for position, name in enumerate(self.symbols):
            if len(text) >= 3 and name.startswith(text.lower()):
                return self.least + position
        raise ValueError(f"{self.name}: {text!r} is not a value")


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _DAYS),
)


def parse_ncrontab(expression: str) -> Crontab:
    """Read five or six fields.

    Raises:
        ValueError: Says which field cannot be read and why, or that no date ever matches.
    """
    texts = expression.split()
    if len(texts) not in {5, 6}:
        raise ValueError(f"{expression!r} has {len(texts)} fields; expected 6 (or 5, without the second)")
    if len(texts) == 5:
        texts.insert(0, "0")
    try:
        crontab = Crontab(*(field.parse(text) for field, text in zip(_FIELDS, texts, strict=True)))
        crontab.next_after(datetime(2000, 1, 1, tzinfo=UTC))
    except ValueError as error:
        raise ValueError(f"{expression!r}: {error}") from error
    return crontab


def parse_schedule(expression: str) -> Schedule:
    """Read an NCRONTAB expression, or a duration such as ``00:05:00``.

    Raises:
        ValueError: It is neither.
    """
    if ":" not in expression:
        return parse_ncrontab(expression)
    period = parse_timespan(expression)
    if period <= timedelta(0):
        raise ValueError(f"{expression!r}: the interval must be longer than zero")
    return Interval(period)
