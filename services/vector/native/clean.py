"""Rows that need nothing but a reprojection, told apart and done with whole arrays.

A row is clean if its coordinates are numbers and in range, no point repeats the one before, its
rings run the right way, it does not jump across the map, and GEOS calls it valid. All others go
the long way.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from services.vector.native.coordinates import WkbCoordinates
from services.vector.native.reprojection import Reprojection
from services.vector.native.rings import look_at_rings
from services.vector.native.shapes import POLYGONAL
from services.vector.wkb import Headers

_HALF: Final = 180.0

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CleanRows:
    """What came of a batch.

    Args:
        is_clean: Which rows are done.
        wkb: All rows, of which only the clean ones are right.
        bounds: Boxes of all rows in the target CRS, shape (n, 4).
    """

    is_clean: Mask
    wkb: pa.BinaryArray
    bounds: Floats


def clean_rows(wkb: pa.BinaryArray, found: Headers, reprojection: Reprojection) -> CleanRows:
    """Return the rows that are clean, reprojected."""
    coordinates = WkbCoordinates(wkb, found)
    is_clean = coordinates.is_read
    if not is_clean.any():
        return CleanRows(is_clean, wkb, np.empty((len(wkb), 4)))
    # Coordinates that are no numbers, or absurd ones, are found by what comes of them.
    with np.errstate(invalid="ignore", over="ignore"):
        before = _Boxes(coordinates, coordinates.x, coordinates.y)
        is_clean &= np.isfinite(before.rows).all(axis=1) & ~reprojection.is_out_of_range(before.rows)
        is_clean &= ~_has_degenerate_line(coordinates, before) & ~_has_repeated_points(coordinates, found)
        x, y = reprojection.transform_arrays(coordinates.x, coordinates.y)
        after = _Boxes(coordinates, x, y) if reprojection.is_needed else before
        is_clean &= np.isfinite(after.rows).all(axis=1)
        if reprojection.target.is_geographic:
            is_clean &= ~crosses_map(after.rows)
        rings = look_at_rings(coordinates, x, y, after.runs)
        is_clean &= ~_owners(coordinates, rings.is_wrong)
    moved = coordinates.with_coordinates(x, y) if reprojection.is_needed else wkb
    # Asked of what goes into the table: rounding can spoil what was valid where it came from.
    asked = is_clean & np.isin(found.base, POLYGONAL) & ~_is_one_star(coordinates, rings.is_star)
    is_clean[asked] = _is_valid(moved, asked)
    return CleanRows(is_clean, moved, after.rows)


class _Boxes:
    """Boxes of runs, and of the rows that they belong to."""

    def __init__(self, coordinates: WkbCoordinates, x: Floats, y: Floats) -> None:
        first, owner = coordinates.first, coordinates.runs.owner
        # A number that is none spreads to the box: minimum and maximum pass NaN on.
        smallest, largest = np.minimum.reduceat, np.maximum.reduceat
        self.runs = np.stack(
            [smallest(x, first), smallest(y, first), largest(x, first), largest(y, first)], axis=1
        )
        self.rows = np.full((len(coordinates.is_read), 4), [np.inf, np.inf, -np.inf, -np.inf])
        for side, outermost in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
            outermost.at(self.rows[:, side], owner, self.runs[:, side])


def _owners(coordinates: WkbCoordinates, runs: Mask) -> Mask:
    rows = np.zeros(len(coordinates.is_read), np.bool_)
    rows[coordinates.runs.owner[runs]] = True
    return rows


def crosses_map(bounds: Floats) -> Mask:
    """Tell which rows may jump from one edge of the map to the other."""
    crosses: Mask = (bounds[:, 2] - bounds[:, 0] > _HALF) | (bounds[:, 2] > _HALF)
    return crosses


def _has_degenerate_line(coordinates: WkbCoordinates, boxes: _Boxes) -> Mask:
    """Tell which rows have a line whose points are all the same, the only way to be invalid."""
    runs = coordinates.runs
    is_spot = (boxes.runs[:, :2] == boxes.runs[:, 2:]).all(axis=1)
    return _owners(coordinates, is_spot & ~runs.is_ring & ~coordinates.is_point[runs.owner])


def _has_repeated_points(coordinates: WkbCoordinates, found: Headers) -> Mask:
    """Tell which flat rows have a point twice in a row; with heights that may be a wall."""
    x, y = coordinates.x, coordinates.y
    repeated = np.flatnonzero((x[1:] == x[:-1]) & (y[1:] == y[:-1])) + 1
    first = coordinates.first
    repeated = repeated[~np.isin(repeated, first)] if len(repeated) else repeated
    runs = np.zeros(len(first), np.bool_)
    runs[np.searchsorted(first, repeated, side="right") - 1] = True
    return _owners(coordinates, runs) & ~found.has_z


def _is_one_star(coordinates: WkbCoordinates, is_star: Mask) -> Mask:
    """Tell which rows are one ring that is seen to be valid without GEOS."""
    rings = np.bincount(coordinates.runs.owner, minlength=len(coordinates.is_read))
    stars: Mask = _owners(coordinates, is_star) & (rings == 1)
    return stars


def _is_valid(wkb: pa.BinaryArray, rows: Mask) -> Mask:
    if not rows.any():
        return np.zeros(0, np.bool_)
    some = wkb if rows.all() else wkb.filter(pa.array(rows))
    shapes = shapely.from_wkb(some.to_numpy(zero_copy_only=False), on_invalid="ignore")
    valid: Mask = shapely.is_valid(shapes)
    return valid
