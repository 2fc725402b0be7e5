"""Ids of items."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.item_ids import ID_PATTERN, item_id


@pytest.mark.parametrize(
    ("blob_name", "expected"),
    [
        ("dem_cog.tif", "c-dem_cog-tif"),
        ("a/b/dem_cog.tif", "c-a-b-dem_cog-tif"),
    ],
)
def test_slashes_and_dots_become_hyphens(blob_name: str, expected: str) -> None:
    assert item_id("c", blob_name) == expected


def test_paths_that_look_alike_have_different_ids() -> None:
    names = [
        "a/b-c.tif",
        "a-b/c.tif",
        "a/b/c.tif",
        "a.b/c.tif",
        "a/b c.tif",
        "a/b+c.tif",
        "A/b/c.tif",
        "a/bäc.tif",
    ]

    ids = {item_id("c", name) for name in names}

    assert len(ids) == len(names)


@given(st.text(min_size=1, max_size=300))
def test_an_id_is_safe_whatever_the_name(blob_name: str) -> None:
    found = item_id("system-rasters", blob_name)

    assert re.fullmatch(ID_PATTERN, found)


@given(st.lists(st.text(alphabet="ab/.-_1", min_size=1, max_size=12), unique=True, min_size=2, max_size=50))
def test_different_names_have_different_ids(names: list[str]) -> None:
    assert len({item_id("c", name) for name in names}) == len(names)
