"""When timers run."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from local.functions_host.ncrontab import parse_ncrontab, parse_schedule

START = datetime(2024, 2, 28, 23, 59, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * * *", "2024-02-28T23:59:31"),
        ("30 * * * * *", "2024-02-29T00:00:30"),
        ("0 */5 * * * *", "2024-02-29T00:00:00"),
        ("0 2-59/10 * * * *", "2024-02-29T00:02:00"),
        ("0 8-59/15 * * * *", "2024-02-29T00:08:00"),
        ("0 17 3 * * *", "2024-02-29T03:17:00"),
        ("0 0 0 29 2 *", "2024-02-29T00:00:00"),
        ("0 0 0 31 * *", "2024-03-31T00:00:00"),
        ("0 0 0 1 1 *", "2025-01-01T00:00:00"),
        ("0 0 12 * * SUN", "2024-03-03T12:00:00"),
        ("0 0 12 * * 1-5", "2024-02-29T12:00:00"),
        ("0 0 12 * * Monday", "2024-03-04T12:00:00"),
        ("0 0 0 1 apr,Dec *", "2024-04-01T00:00:00"),
        ("0 0 0 13 * FRI", "2024-09-13T00:00:00"),
        ("5/20 0 0 * * *", "2024-02-29T00:00:05"),
        ("59,0 59,0 23,0 * * *", "2024-02-28T23:59:59"),
        ("0 0 0 29 2 SAT", "2048-02-29T00:00:00"),
        ("*/5 * * * *", "2024-02-29T00:00:00"),
    ],
)
def test_the_next_occurrence(expression: str, expected: str) -> None:
    assert parse_ncrontab(expression).next_after(START) == datetime.fromisoformat(expected).replace(
        tzinfo=UTC
    )


def test_an_occurrence_is_later_than_the_moment_also_by_less_than_a_second() -> None:
    crontab = parse_ncrontab("* * * * * *")
    moment = datetime(2024, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)

    assert crontab.next_after(moment) == datetime(2025, 1, 1, tzinfo=UTC)
    assert crontab.next_after(datetime(2025, 1, 1, tzinfo=UTC)) == datetime(2025, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_moments_of_other_zones_count_in_utc() -> None:
    moment = datetime(2024, 7, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    assert parse_ncrontab("0 0 0 * * *").next_after(moment) == datetime(2024, 7, 1, tzinfo=UTC)


def test_29_february_skips_a_century_that_is_no_leap_year() -> None:
    crontab = parse_ncrontab("0 0 0 29 2 *")

    assert crontab.next_after(datetime(2096, 3, 1, tzinfo=UTC)) == datetime(2104, 2, 29, tzinfo=UTC)


def test_occurrences_follow_one_another_without_gap_or_repetition() -> None:
    crontab = parse_ncrontab("0 10-30/10 8,9 * * *")
    moment, seen = datetime(2024, 1, 1, tzinfo=UTC), []

    for _ in range(7):
        moment = crontab.next_after(moment)
        seen.append(moment.strftime("%d %H:%M"))

    assert seen == ["01 08:10", "01 08:20", "01 08:30", "01 09:10", "01 09:20", "01 09:30", "02 08:10"]


def test_a_reversed_range_is_read_the_other_way_round() -> None:
    assert parse_ncrontab("0 0 0 * * FRI-MON") == parse_ncrontab("0 0 0 * * MON-FRI")


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ("* * * *", "4 fields"),
        ("60 * * * * *", "second: 60"),
        ("0 0 24 * * *", "hour: 24"),
        ("0 0 0 0 * *", "day: 0"),
        ("0 0 0 * 13 *", "month: 13"),
        ("0 0 0 * * 7", "day of week: 7"),
        ("0 0 0 * JA *", "month: 'JA'"),
        ("0 0 0 * * FUN", "day of week: 'FUN'"),
        ("MON 0 0 * * *", "second: 'MON'"),
        ("*/0 * * * * *", "step"),
        ("0 0 0 ? * *", "day: '?'"),
        ("0 0 0 L * *", "day: 'L'"),
        ("0 1,,2 0 * * *", "minute: ''"),
        ("0 *-5 0 * * *", "minute: '*-5'"),
        ("0 -5 0 * * *", "minute: '-5'"),
        ("0 0 0 30 2 *", "no date ever matches"),
        ("0 0 0 31 4,6,9,11 *", "no date ever matches"),
    ],
)
def test_what_cannot_be_read_is_named(expression: str, part: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_ncrontab(expression)

    assert part in str(caught.value)


def test_a_duration_is_a_fixed_interval() -> None:
    assert parse_schedule("1.02:00:00").next_after(START) - START == timedelta(hours=26)


@pytest.mark.parametrize("expression", ["00:00:00", "24:00:00", "00:60:00", "5 minutes:"])
def test_a_duration_that_is_none_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_schedule(expression)
