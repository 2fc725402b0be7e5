"""How the extent of a collection grows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TaskFailed
from core.json import JsonObject
from core.ports.catalogue import UNKNOWN_EXTENT
from core.stac_extents import grow_extent, items_extent
from tests.factories.stac import item

Box = tuple[float, float, float, float]
DAY = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")

longitudes = st.integers(-180, 180)
latitudes = st.integers(-90, 90)
boxes = st.tuples(longitudes, latitudes, longitudes, latitudes).map(
    lambda box: (float(box[0]), float(min(box[1], box[3])), float(box[2]), float(max(box[1], box[3])))
)


def extent(bbox: Box = (0, 0, 1, 1), start: str | None = None, end: str | None = None) -> JsonObject:
    return {"spatial": {"bbox": [list(bbox)]}, "temporal": {"interval": [[start, end]]}}


def grown(*grown_boxes: Box) -> list[float]:
    # With a time: the whole world at no time is the extent of which nothing is known.
    result = extent(grown_boxes[0], *DAY)
    for box in grown_boxes[1:]:
        result = grow_extent(result, extent(box, *DAY))
    bbox: list[float] = result["spatial"]["bbox"][0]
    return bbox


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ((0, 0, 1, 1), (2, 2, 3, 3), [0, 0, 3, 3]),
        ((0, 0, 10, 10), (2, 2, 3, 3), [0, 0, 10, 10]),
        ((0.1, 0, 0.7, 1), (0.3, 0, 0.7, 1), [0.1, 0, 0.7, 1]),
        ((170, 0, 180, 1), (-180, 0, -170, 1), [170, 0, -170, 1]),
        ((170, 0, -170, 1), (175, 0, 178, 1), [170, 0, -170, 1]),
        ((170, 0, -170, 1), (-160, 0, -150, 1), [170, 0, -150, 1]),
        ((170, 0, -170, 1), (160, -5, 165, 0), [160, -5, -170, 1]),
        ((-180, -80, 180, 80), (170, 0, -170, 1), [-180, -80, 180, 80]),
        ((-120, 0, 60, 1), (50, 0, -110, 1), [-180, 0, 180, 1]),
    ],
    ids=[
        "apart",
        "inside",
        "with a common edge",
        "meeting at the antimeridian",
        "inside a crossing one",
        "east of a crossing one",
        "west of a crossing one",
        "the whole world",
        "all around",
    ],
)
def test_two_boxes_grow_into_the_smallest_that_holds_both(one: Box, other: Box, both: list[float]) -> None:
    assert grown(one, other) == both


@given(st.lists(boxes, min_size=1, max_size=6), st.integers(0, 5))
def test_every_point_of_every_box_is_inside(some: list[Box], chosen: int) -> None:
    west, south, east, north = grown(*some)

    box = some[chosen % len(some)]
    width = (east - west) % 360 if (west, east) != (-180, 180) else 360
    assert south <= box[1]
    assert north >= box[3]
    assert width == 360 or (box[0] - west) % 360 + (box[2] - box[0]) % 360 <= width


def test_an_unknown_extent_gives_way() -> None:
    known = extent(start="2024-01-01T00:00:00Z", end="2024-01-02T00:00:00Z")

    assert grow_extent(UNKNOWN_EXTENT, known) == known
    assert grow_extent(known, UNKNOWN_EXTENT) == known


def test_times_are_compared_as_moments() -> None:
    one = extent(start="2024-01-01T00:00:00Z", end="2024-01-01T00:00:00.5Z")
    other = extent(start="2024-01-01T00:30:00+01:00", end="2024-01-01T00:00:00Z")

    interval = grow_extent(one, other)["temporal"]["interval"]

    assert interval == [["2024-01-01T00:30:00+01:00", "2024-01-01T00:00:00.5Z"]]


def test_an_open_end_stays_open() -> None:
    ongoing = extent(start="2024-01-01T00:00:00Z", end=None)

    interval = grow_extent(ongoing, extent(start="2023-01-01T00:00:00Z", end="2025-01-01T00:00:00Z"))[
        "temporal"
    ]

    assert interval == {"interval": [["2023-01-01T00:00:00Z", None]]}


def test_further_boxes_that_a_user_gave_are_kept() -> None:
    given_extent = extent((0, 0, 9, 9))
    given_extent["spatial"]["bbox"] += [[0, 0, 1, 1], [8, 8, 9, 9]]

    bbox = grow_extent(given_extent, extent((-1, 0, 1, 1)))["spatial"]["bbox"]

    assert bbox == [[-1, 0, 9, 9], [0, 0, 1, 1], [8, 8, 9, 9]]


def test_heights_are_left_out_of_the_extent() -> None:
    high = item() | {"bbox": [1, 2, 300, 3, 4, 400]}

    assert items_extent([high])["spatial"] == {"bbox": [[1, 2, 3, 4]]}


@pytest.mark.parametrize("bbox", [None, [], [1, 2, 3], ["a", "b", "c", "d"]])
def test_a_bbox_that_is_none_is_refused(bbox: Any) -> None:
    with pytest.raises(TaskFailed, match="item tile"):
        items_extent([item() | {"bbox": bbox}])
