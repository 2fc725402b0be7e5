"""What is written as JSON, fast, is what `to_jsonable` says."""

import json
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import PurePosixPath
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.json import dumps, to_jsonable


class Colour(StrEnum):
    """A name."""

    RED = "red"


_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.uuids(),
    st.timedeltas(timedelta(days=-9), timedelta(days=9)),
    st.just(Colour.RED),
    st.just(PurePosixPath("a/b")),
)
_NAIVE = datetime.fromisoformat("2026-11-05T12:00:00")
_KEYS = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(), st.booleans())
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.one_of(st.lists(inner), st.tuples(inner), st.dictionaries(_KEYS, inner))
)


@given(_VALUES)
def test_what_is_written_reads_back_as_what_to_jsonable_says(value: object) -> None:
    assert json.loads(dumps(value)) == to_jsonable(value)


def test_the_special_forms() -> None:
    moment = datetime(2026, 11, 5, 13, 0, tzinfo=UTC)
    value = {
        "at": moment,
        "on": date(2026, 11, 5),
        "for": timedelta(seconds=1.5),
        "id": UUID(int=1),
        "é": {1},
    }
    assert dumps(value) == (
        '{"at":"2026-11-05T13:00:00Z","on":"2026-11-05","for":1.5,'
        '"id":"00000000-0000-0000-0000-000000000001","é":[1]}'
    )


def test_not_a_number_is_null() -> None:
    assert dumps([float("nan"), float("inf"), 1.0]) == "[null,null,1.0]"


@pytest.mark.parametrize("value", [_NAIVE, object(), {"a": [b"x"]}])
def test_what_has_no_form_is_named(value: object) -> None:
    with pytest.raises(TypeError, match=r"datetime without a zone|has no JSON form"):
        dumps(value)
