"""The extent of a collection, grown item by item; what every catalogue adapter does alike."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import product
from operator import attrgetter
from typing import Any, NamedTuple

from core import codes
from core.errors import TaskFailed
from core.json import JsonObject, rfc3339
from core.ports.catalogue import UNKNOWN_EXTENT

_FULL_CIRCLE = 360.0
# Sums of the same degrees in another order differ in the last digits; this is a tenth of a millimetre.
_TOLERANCE = 1e-9


def items_extent(items: Iterable[JsonObject]) -> JsonObject:
    """Return the extent of at least one item.

    Raises:
        TaskFailed: An item has no time or no bbox, or one that cannot be read
            (``catalogue.item_invalid``).
    """
    remaining = iter(items)
    box, starts, ends = _reach(next(remaining))
    for item in remaining:
        its_box, its_start, its_end = _reach(item)
        box = _union(box, its_box)
        starts, ends = min(starts, its_start, key=_instant), max(ends, its_end, key=_instant)
    interval = [starts.text, ends.text]
    return {"spatial": {"bbox": [box]}, "temporal": {"interval": [interval]}}


def grow_extent(extent: JsonObject, other: JsonObject) -> JsonObject:
    """Return the smallest extent that holds both; other entries than the first stay.

    An unknown extent gives way to the other one. A bbox whose west is greater than its east
    crosses the antimeridian, and so may the result.
    """
    if _is_unknown(extent):
        return other
    if _is_unknown(other):
        return extent
    boxes, intervals = extent["spatial"]["bbox"], extent["temporal"]["interval"]
    bbox = _union(boxes[0], other["spatial"]["bbox"][0])
    interval = _cover(intervals[0], other["temporal"]["interval"][0])
    return extent | {
        "spatial": extent["spatial"] | {"bbox": [bbox, *boxes[1:]]},
        "temporal": extent["temporal"] | {"interval": [interval, *intervals[1:]]},
    }


def bounds_extent(row: JsonObject) -> JsonObject:
    """Return the extent of a row of ``bbox`` and the times ``starts`` and ``ends``."""
    interval = [rfc3339(row["starts"]), rfc3339(row["ends"])]
    return {"spatial": {"bbox": [_flat(row["bbox"])]}, "temporal": {"interval": [interval]}}


def reaches_edge(part: JsonObject, whole: JsonObject) -> bool:
    """Return whether an extent may be one of those that make another as large as it is."""
    if _is_unknown(whole):
        return False
    box, outer = _flat(part["spatial"]["bbox"][0]), _flat(whole["spatial"]["bbox"][0])
    times, span = part["temporal"]["interval"][0], whole["temporal"]["interval"][0]
    return any(abs(one - other) <= _TOLERANCE for one, other in zip(box, outer, strict=True)) or any(
        None not in (one, other) and datetime.fromisoformat(one) == datetime.fromisoformat(other)
        for one, other in zip(times, span, strict=True)
    )


def replace_extent(extent: JsonObject, measured: JsonObject) -> JsonObject:
    """Return an extent whose first box and interval are those that were measured."""
    boxes, intervals = extent["spatial"]["bbox"], extent["temporal"]["interval"]
    return extent | {
        "spatial": extent["spatial"] | {"bbox": [measured["spatial"]["bbox"][0], *boxes[1:]]},
        "temporal": extent["temporal"] | {"interval": [measured["temporal"]["interval"][0], *intervals[1:]]},
    }


def _is_unknown(extent: JsonObject) -> bool:
    return all(extent[key] == UNKNOWN_EXTENT[key] for key in UNKNOWN_EXTENT)


class _Moment(NamedTuple):
    """A time as it is and as it was written."""

    instant: datetime
    text: str


_instant = attrgetter("instant")


def _reach(item: JsonObject) -> tuple[list[float], _Moment, _Moment]:
    """Return box, beginning and end of an item."""
    try:
        return _flat(item["bbox"]), *_interval(item["properties"])
    except (KeyError, TypeError, ValueError) as error:
        message = f"item {item.get('id')}: bbox or time is missing or malformed: {error}"
        raise TaskFailed(codes.CATALOGUE_ITEM_INVALID, message) from error


def _interval(properties: JsonObject) -> tuple[_Moment, _Moment]:
    moment = properties.get("datetime")
    start, end = (_moment(properties.get(key) or moment) for key in ("start_datetime", "end_datetime"))
    if start.instant > end.instant:
        raise ValueError(f"{start.text} is after {end.text}")
    return start, end


def _moment(value: Any) -> _Moment:
    text = str(value)
    instant = datetime.fromisoformat(text)
    # One without a zone cannot be compared with the others; PostgreSQL would take it for UTC.
    return _Moment(instant if instant.tzinfo else instant.replace(tzinfo=UTC), text)


def _flat(bbox: Sequence[float]) -> list[float]:
    # Heights have no place in an extent that most items know only from above.
    if len(bbox) == 6:
        bbox = [bbox[0], bbox[1], bbox[3], bbox[4]]
    west, south, east, north = bbox
    return [float(west), float(south), float(east), float(north)]


def _union(one: Sequence[float], other: Sequence[float]) -> list[float]:
    a, b = _flat(one), _flat(other)
    if a[0] <= b[0] <= b[2] <= a[2] and a[1] <= b[1] and b[3] <= a[3]:
        return a
    west, east = _smallest_arc((a[0], a[2]), (b[0], b[2]))
    return [west, min(a[1], b[1]), east, max(a[3], b[3])]


def _smallest_arc(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    candidates = [
        (west, east)
        for west, east in product((one[0], other[0]), (one[1], other[1]))
        if _holds((west, east), one) and _holds((west, east), other)
    ]
    # Two arcs that leave no gap between them have no smallest one short of the whole circle.
    return min(candidates, key=_width, default=(-180.0, 180.0))


def _width(arc: tuple[float, float]) -> float:
    west, east = arc
    return east - west if west <= east else east - west + _FULL_CIRCLE


def _holds(outer: tuple[float, float], inner: tuple[float, float]) -> bool:
    offset = (inner[0] - outer[0]) % _FULL_CIRCLE if outer != (-180.0, 180.0) else 0.0
    return offset + _width(inner) <= _width(outer) + _TOLERANCE


def _cover(one: Sequence[Any], other: Sequence[Any]) -> list[Any]:
    start = None if None in (one[0], other[0]) else min(one[0], other[0], key=datetime.fromisoformat)
    end = None if None in (one[1], other[1]) else max(one[1], other[1], key=datetime.fromisoformat)
    return [start, end]
