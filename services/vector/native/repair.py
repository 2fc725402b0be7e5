"""Make geometries valid, and change nothing that is."""

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiLineString, MultiPoint, MultiPolygon
from shapely.geometry.base import BaseGeometry

from services.vector.codes import COORDINATES_NOT_FINITE, GEOMETRY_COLLAPSED
from services.vector.native.shapes import COLLECTION, POLYGONAL, Shapes, applied

# Dimension by type number; a collection has any.
_DIMENSION: Final = np.array([0, 1, 1, 2, 0, 1, 2, -1])
_MULTI_OF: Final[dict[int, Callable[[Any], BaseGeometry]]] = {
    0: MultiPoint,
    1: MultiLineString,
    3: MultiPolygon,
}
_FIRST_MULTI: Final = 4
_LINEAR_OR_POLYGONAL: Final = (1, 2, 3, 5, 6)


def drop_not_finite(shapes: Shapes) -> None:
    """Drop geometries with a coordinate that is no number; heights do not count."""
    coordinates = shapely.get_coordinates(shapes.geometries)
    finite = np.isfinite(coordinates).all(axis=1)
    if finite.all():
        return
    owners = np.repeat(np.arange(len(shapes)), shapely.get_num_coordinates(shapes.geometries))
    gone = np.zeros(len(shapes), np.bool_)
    gone[owners[~finite]] = True
    shapes.drop(gone, COORDINATES_NOT_FINITE)


def make_valid(shapes: Shapes, kind: str | None = None) -> None:
    """Repair what is invalid, keeping its type as far as that is possible.

    Testing all and repairing few is several times cheaper than repairing all.

    Args:
        shapes: The rows.
        kind: Under which repairs are counted; None for the reason why each was invalid.
    """
    invalid = ~shapely.is_valid(shapes.geometries)
    if not invalid.any():
        return
    before = shapes.geometries[invalid]
    if kind is None:
        _count_reasons(shapes, before)
    else:
        shapes.ledger.repair(kind, len(before))
    after = applied(_made_valid, before)
    is_lost = shapely.is_missing(after)
    after[~is_lost] = _with_types_of(after[~is_lost], before[~is_lost])
    shapes.replace(invalid, after)
    is_collapsed = (shapely.is_empty(shapes.geometries) & invalid) | shapely.is_missing(shapes.geometries)
    shapes.drop(is_collapsed, GEOMETRY_COLLAPSED)


def _made_valid(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.asarray(shapely.make_valid(geometries, method="structure", keep_collapsed=False))


def _count_reasons(shapes: Shapes, invalid: NDArray[np.object_]) -> None:
    reasons = [str(reason).split("[")[0] for reason in shapely.is_valid_reason(invalid)]
    for reason in sorted(set(reasons)):
        kind = re.sub(r"[^a-z]+", "_", reason.strip().lower())
        shapes.ledger.repair(kind, reasons.count(reason))


def _with_types_of(after: NDArray[np.object_], before: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return repaired geometries that are of the same dimension, and multi where they were multi."""
    types, results = shapely.get_type_id(before), shapely.get_type_id(after)
    for place in np.flatnonzero((results == COLLECTION) & (types != COLLECTION)):
        after[place] = _parts_of_dimension(after[place], int(_DIMENSION[types[place]]))
    results = shapely.get_type_id(after)
    for place in np.flatnonzero((types >= _FIRST_MULTI) & (types < COLLECTION) & (results < _FIRST_MULTI)):
        make = _MULTI_OF[int(results[place])]
        after[place] = make([] if shapely.is_empty(after[place]) else [after[place]])
    return after


def _parts_of_dimension(collection: shapely.Geometry, dimension: int) -> shapely.Geometry:
    parts = shapely.get_parts(shapely.get_parts(collection))
    return shapely.union_all(parts[_DIMENSION[shapely.get_type_id(parts)] == dimension])


def remove_repeated_points(shapes: Shapes) -> None:
    """Leave out points that repeat the one before them, in lines and polygons.

    With heights such a point may be the top of a wall.
    """
    counts = shapely.get_num_coordinates(shapes.geometries)
    coordinates = shapely.get_coordinates(shapes.geometries)
    repeated = np.flatnonzero((coordinates[1:] == coordinates[:-1]).all(axis=1)) + 1
    if not len(repeated):
        return
    suspects = np.zeros(len(shapes), np.bool_)
    suspects[np.searchsorted(np.cumsum(counts), repeated, side="right")] = True
    suspects &= np.isin(shapely.get_type_id(shapes.geometries), _LINEAR_OR_POLYGONAL)
    suspects &= ~shapely.has_z(shapes.geometries)
    thinned = applied(_without_repeated_points, shapes.geometries[suspects])
    thinned = np.where(shapely.is_missing(thinned), shapes.geometries[suspects], thinned)
    fewer = shapely.get_num_coordinates(thinned) < counts[suspects]
    shapes.replace(suspects, thinned)
    shapes.ledger.repair("repeated_points", int(fewer.sum()))


def _without_repeated_points(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.asarray(shapely.remove_repeated_points(geometries, 0.0))


def orient_rings(shapes: Shapes) -> None:
    """Turn outer rings counter-clockwise and holes clockwise, as RFC 7946 wants them."""
    types = shapely.get_type_id(shapes.geometries)
    suspects = np.isin(types, (*POLYGONAL, COLLECTION))
    simple = (types == POLYGONAL[0]) & (shapely.get_num_interior_rings(shapes.geometries) == 0)
    suspects[simple] = _is_clockwise(shapes.geometries[simple])
    if not suspects.any():
        return
    before = shapes.geometries[suspects]
    after = shapely.orient_polygons(before)
    changed = ~shapely.equals_exact(before, after, 0.0) | shapely.is_missing(after)
    shapes.replace(suspects, after)
    shapes.ledger.repair("ring_order", int(changed.sum()))


def _is_clockwise(polygons: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell the direction of polygons without holes by their signed area, all at once."""
    counts = shapely.get_num_coordinates(polygons)
    clockwise = np.zeros(len(polygons), np.bool_)
    filled = counts > 0
    if not filled.any():
        return clockwise
    coordinates = shapely.get_coordinates(polygons)
    ends = np.cumsum(counts[filled])
    starts = ends - counts[filled]
    # Far from the origin the products would lose the area in rounding.
    x, y = (coordinates - np.repeat(coordinates[starts], counts[filled], axis=0)).T
    cross = np.zeros(len(x))
    with np.errstate(invalid="ignore", over="ignore"):
        cross[:-1] = x[:-1] * y[1:] - x[1:] * y[:-1]
        cross[ends - 1] = 0.0
        clockwise[filled] = np.add.reduceat(cross, starts) < 0
    return clockwise
