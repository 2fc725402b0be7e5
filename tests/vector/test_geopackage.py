"""GeoPackages whose values are not of their columns' types, as SQLite allows."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from tests.vector.desk import Desk

POINT = "POINT (1 2)"
NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)
NOT_OF_THE_TYPE = "{0:,} values of 'v' are not of the column's type and became NULL"


def layer(desk: Desk, values: pa.Array, stored: Sequence[Any] = ()) -> None:
    """Write a layer of one column, and put other values in its first rows."""
    path = desk.write_layer("a.gpkg", [POINT] * len(values), {"v": values}, driver="GPKG", layer="a b")
    with closing(sqlite3.connect(path)) as connection, connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        for fid, value in enumerate(stored, 1):
            connection.execute('UPDATE "a b" SET v = ? WHERE fid = ?', (value, fid))


@pytest.mark.parametrize(
    ("values", "stored", "comes_out"),
    [
        (pa.array([1] * 5, pa.int64()), ["text", 1.5, b"1", 7], [None, None, None, 7, 1]),
        (pa.array([1] * 5, pa.int32()), [2**31, -(2**31) - 1, 2**31 - 1, "7"], [None, None, 2**31 - 1, 7, 1]),
        (pa.array([1] * 3, pa.int16()), [40_000, "x"], [None, None, 1]),
        (pa.array([0.5] * 4), ["text", 1, "1e3"], [None, 1.0, 1000.0, 0.5]),
        (pa.array([True] * 4), ["true", 0, 2], [None, False, True, True]),
        (
            pa.array([date(2020, 1, 1)] * 5),
            ["01/02/2020", "2020-13-01", 43_831, "2020/03/04"],
            [None, None, None, date(2020, 3, 4), date(2020, 1, 1)],
        ),
        (
            pa.array([NOON] * 4, pa.timestamp("ms", "UTC")),
            ["noon", 1_577_880_000, "2020-01-01T14:00:00.000+02:00"],
            [None, None, NOON, NOON],
        ),
    ],
    ids=["bigint", "integer", "smallint", "double", "boolean", "date", "timestamptz"],
)
def test_values_of_another_type_become_null_and_are_counted(
    desk: Desk, values: pa.Array, stored: list[Any], comes_out: list[Any]
) -> None:
    layer(desk, values, stored)

    outcome = desk.prepare("a.gpkg")

    assert outcome.column("v") == comes_out
    messages = [each.message for each in outcome.result.findings if each.code == "vector.values_changed"]
    assert messages == [NOT_OF_THE_TYPE.format(comes_out.count(None))]


def test_values_of_their_types_and_nulls_are_left_alone(desk: Desk) -> None:
    layer(desk, pa.array([1, None, -(2**63)]))

    outcome = desk.prepare("a.gpkg")

    assert outcome.column("v") == [1, None, -(2**63)]
    assert outcome.result.findings == []


def test_the_first_moment_of_1970_is_a_time_like_others(desk: Desk) -> None:
    layer(desk, pa.array([0, 1_000], pa.timestamp("ms", "UTC")))

    outcome = desk.prepare("a.gpkg")

    assert outcome.column("v") == [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
    ]
    assert outcome.result.findings == []


def test_a_column_that_is_of_another_type_altogether_is_refused(desk: Desk) -> None:
    layer(desk, pa.array([1] * 100_001))
    with closing(sqlite3.connect(desk.workspace / "a.gpkg")) as connection, connection:
        connection.execute("UPDATE \"a b\" SET v = 'text'")

    error = desk.refusal("a.gpkg")

    assert error.code.code == "vector.unreadable"
    assert (
        error.message
        == "a.gpkg: more than 100,000 rows of 'a b' have values of other types than their columns"
    )
