"""Geometries that jump from one edge of the map to the other."""

from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from services.vector.native.shapes import Shapes

_HALF: Final = 180.0
_WHOLE: Final = 360.0


def jumping(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell which lines and polygons go from one point to the next by more than half the globe.

    Only those whose box is that wide are looked at closely.
    """
    bounds = shapely.bounds(geometries)
    with np.errstate(invalid="ignore"):
        wide = (bounds[:, 2] - bounds[:, 0] > _HALF) | (bounds[:, 2] > _HALF)
    wide &= shapely.get_dimensions(geometries) > 0
    for place in np.flatnonzero(wide):
        wide[place] = _jumps(geometries[place])
    return wide


def unwrapped_bounds(geometries: NDArray[np.object_], jumps: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return boxes; those of jumping geometries run on beyond 180 instead of around the world."""
    bounds = shapely.bounds(geometries)
    if jumps.any():
        bounds[jumps] = shapely.bounds(np.array([_unwrapped(each) for each in geometries[jumps]]))
    return bounds


def split(shapes: Shapes, jumps: NDArray[np.bool_]) -> None:
    """Cut jumping geometries at the antimeridian, so that each part lies on one side."""
    if not jumps.any():
        return
    parts = np.array([_cut(each) for each in shapes.geometries[jumps]], dtype=object)
    shapes.replace(jumps, parts)
    shapes.ledger.repair("split_at_antimeridian", int(jumps.sum()))


def _jumps(geometry: BaseGeometry) -> bool:
    coordinates, parts = shapely.get_coordinates(_lines(geometry), return_index=True)
    steps = np.abs(np.diff(coordinates[:, 0]))
    same = parts[1:] == parts[:-1]
    beyond = bool((coordinates[:, 0] > _HALF).any())
    return beyond or bool((steps[same] > _HALF).any())


def _lines(geometry: BaseGeometry) -> NDArray[np.object_]:
    """Return every line and ring of a geometry by itself."""
    parts = shapely.get_parts(geometry)
    rings = shapely.get_rings(parts[shapely.get_dimensions(parts) == 2])
    lines = parts[shapely.get_dimensions(parts) < 2]
    return np.concatenate([rings, lines])


def _unwrapped(geometry: BaseGeometry) -> BaseGeometry:
    """Move what lies west of Greenwich around the globe, so that nothing jumps."""
    coordinates = shapely.get_coordinates(geometry, include_z=geometry.has_z)
    coordinates[coordinates[:, 0] < 0, 0] += _WHOLE
    moved: BaseGeometry = shapely.set_coordinates(np.array([geometry]), coordinates)[0]
    return moved


def _cut(geometry: BaseGeometry) -> BaseGeometry:
    whole = shapely.make_valid(_unwrapped(geometry), method="structure", keep_collapsed=False)
    east = shapely.intersection(whole, box(-_HALF, -90, _HALF, 90))
    west = translate(shapely.intersection(whole, box(_HALF, -90, _WHOLE + _HALF, 90)), -_WHOLE)
    dimension = shapely.get_dimensions(geometry)
    parts = [part for part in shapely.get_parts([east, west]) if shapely.get_dimensions(part) == dimension]
    make = shapely.multipolygons if dimension == 2 else shapely.multilinestrings
    merged: BaseGeometry = parts[0] if len(parts) == 1 else make(parts)
    return merged
