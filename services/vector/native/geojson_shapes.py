"""Geometries of parsed GeoJSON as well-known binary, many at once."""

from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from services.vector.geojson import LARGEST, SMALLEST
from services.vector.native.geojson_blocks import IrregularError

#: How deep the positions of each type lie.
_DEPTHS: Final = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
_TYPES: Final = {
    "Point": shapely.GeometryType.POINT,
    "MultiPoint": shapely.GeometryType.MULTIPOINT,
    "LineString": shapely.GeometryType.LINESTRING,
    "MultiLineString": shapely.GeometryType.MULTILINESTRING,
    "Polygon": shapely.GeometryType.POLYGON,
    "MultiPolygon": shapely.GeometryType.MULTIPOLYGON,
}
_FEWEST: Final = {"LineString": 2, "MultiLineString": 2, "Polygon": 4, "MultiPolygon": 4}
_MEMBERS: Final = {"type", "coordinates"}

Offsets = NDArray[np.int64]


def as_wkb(geometries: Sequence[Any]) -> tuple[pa.BinaryArray, dict[str, Any]]:
    """Return little-endian ISO WKB, and one geometry of each type as it came.

    Raises:
        IrregularError: One of them is not exactly what RFC 7946 asks for; OGR decides on those.
    """
    shapes = np.full(len(geometries), None, dtype=object)
    places: dict[tuple[str, int], list[int]] = {}
    for place, geometry in enumerate(geometries):
        if geometry is not None:
            if geometry.keys() != _MEMBERS:
                raise IrregularError("a geometry with other members")
            places.setdefault((geometry["type"], _size(geometry["coordinates"])), []).append(place)
    for (kind, size), rows in places.items():
        if kind not in _DEPTHS:
            raise IrregularError(f"a geometry of type {kind}")
        shapes[rows] = _shapes(kind, size, [geometries[row]["coordinates"] for row in rows])
    examples = {f"{kind}{size}": geometries[rows[0]] for (kind, size), rows in places.items()}
    return pa.array(shapely.to_wkb(shapes, byte_order=1, flavor="iso"), pa.binary()), examples


def _size(coordinates: Any) -> int:
    """Return how many numbers the first position has."""
    while type(coordinates[0]) is list:
        coordinates = coordinates[0]
    return len(coordinates)


def _shapes(kind: str, size: int, coordinates: list[Any]) -> NDArray[np.object_]:
    offsets: list[Offsets] = []
    for _ in range(_DEPTHS[kind]):
        offsets.insert(0, _offsets(coordinates))
        coordinates = list(chain.from_iterable(coordinates))
    if size not in (2, 3) or set(map(len, coordinates)) != {size}:
        raise IrregularError("positions of other lengths")
    numbers = list(chain.from_iterable(coordinates))
    if not set(map(type, numbers)) <= {int, float}:
        raise IrregularError("a coordinate that is no number")
    flat = np.frombuffer(array("d", numbers), np.float64).reshape(-1, size)
    if flat.min() < SMALLEST or flat.max() >= LARGEST:
        raise IrregularError("integers of more than 64 bits, perhaps")
    if kind in _FEWEST:
        _check_lines(flat, offsets[0], _FEWEST[kind])
    made: NDArray[np.object_] = shapely.from_ragged_array(_TYPES[kind], flat, tuple(offsets) or None)
    return made


def _offsets(parts: list[Any]) -> Offsets:
    if not set(map(type, parts)) <= {list}:
        raise IrregularError("a part that is no list")
    counts = np.fromiter(map(len, parts), np.int64, len(parts))
    if not counts.all():
        raise IrregularError("a part without points")
    return np.concatenate([[0], np.cumsum(counts)])


def _check_lines(points: NDArray[np.float64], offsets: Offsets, fewest: int) -> None:
    """Refuse lines that are too short, and rings that are not closed."""
    if (np.diff(offsets) < fewest).any():
        raise IrregularError("a line with too few points")
    is_ring = fewest > _FEWEST["LineString"]
    if is_ring and (points[offsets[:-1]] != points[offsets[1:] - 1]).any():
        raise IrregularError("a ring that is not closed")
