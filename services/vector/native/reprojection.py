"""From the source CRS to the target: vectorised, easting or longitude first, heights untouched."""

from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from services.vector.codes import COORDINATES_OUT_OF_RANGE, NOT_REPROJECTABLE
from services.vector.native.crs import crs_name, same_crs
from services.vector.native.shapes import Shapes

# Files that count longitudes from 0 to 360 are common, and some go a little around.
_LIMITS: Final = (360.0, 90.0, 360.0, 90.0)


class Reprojection:
    """Transforms the geometries of a file.

    Args:
        source: CRS of the file.
        target: CRS of the table.
    """

    def __init__(self, source: CRS, target: CRS) -> None:
        self.source = source
        self.target = target
        self.is_needed = not same_crs(source, target)
        self._transformer = Transformer.from_crs(source, target, always_xy=True)
        unit = source.axis_info[0].unit_conversion_factor if source.is_geographic else 0.0
        self._per_degree = unit / np.deg2rad(1.0) if unit else 0.0

    def drop_out_of_range(self, shapes: Shapes) -> None:
        """Drop geometries whose longitudes and latitudes are none."""
        if not self.source.is_geographic:
            return
        bounds = shapely.bounds(shapes.geometries)
        gone = self.is_out_of_range(bounds)
        shapes.drop(gone, COORDINATES_OUT_OF_RANGE, lambda place: extremes(bounds[place]))

    def is_out_of_range(self, bounds: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which boxes, shape (n, 4) in the source CRS, hold no longitudes and latitudes."""
        if not self.source.is_geographic:
            return np.zeros(len(bounds), np.bool_)
        with np.errstate(invalid="ignore"):
            degrees = np.abs(bounds * self._per_degree)
            gone: NDArray[np.bool_] = np.any(degrees > _LIMITS, axis=1)
        return gone

    def transform_arrays(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return coordinates in the target CRS, infinite where it cannot hold them."""
        if not self.is_needed:
            return x, y
        moved: tuple[NDArray[np.float64], NDArray[np.float64]] = self._transformer.transform(x, y)
        return moved

    def transform(self, shapes: Shapes) -> None:
        """Transform geometries in place; what the target cannot hold is dropped."""
        if not self.is_needed or not len(shapes):
            return
        high = shapely.has_z(shapes.geometries)
        if not high.any():
            shapes.geometries = self._transformed(shapes.geometries, include_z=False)
        elif high.all():
            shapes.geometries = self._transformed(shapes.geometries, include_z=True)
        else:
            shapes.replace(high, self._transformed(shapes.geometries[high], include_z=True))
            shapes.replace(~high, self._transformed(shapes.geometries[~high], include_z=False))
        bounds = shapely.bounds(shapes.geometries)
        lost = ~np.isfinite(bounds).all(axis=1) & ~shapely.is_empty(shapes.geometries)
        name = crs_name(self.target)[:60]
        shapes.drop(lost, NOT_REPROJECTABLE, lambda _: f"{name} cannot hold it")

    def transform_boxes(self, bounds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return boxes around boxes, shape (n, 4), by their corners and the middles of their edges."""
        if not self.is_needed or not len(bounds):
            return bounds
        west, south, east, north = bounds.T
        middle_x, middle_y = (west + east) / 2, (south + north) / 2
        x, y = self._transformer.transform(
            np.stack([west, middle_x, east, west, east, west, middle_x, east]),
            np.stack([south, south, south, middle_y, middle_y, north, north, north]),
        )
        return np.stack([x.min(axis=0), y.min(axis=0), x.max(axis=0), y.max(axis=0)], axis=1)

    def _transformed(self, geometries: NDArray[np.object_], *, include_z: bool) -> NDArray[np.object_]:
        coordinates = shapely.get_coordinates(geometries, include_z=include_z)
        x = np.ascontiguousarray(coordinates[:, 0])
        y = np.ascontiguousarray(coordinates[:, 1])
        coordinates[:, 0], coordinates[:, 1] = self._transformer.transform(x, y, inplace=True)
        moved: NDArray[np.object_] = shapely.set_coordinates(geometries, coordinates)
        return moved


def extremes(bounds: NDArray[np.float64]) -> str:
    """Return the words for a box, shape (4,), of longitudes and latitudes."""
    west, south, east, north = bounds
    return f"longitude {west:g} to {east:g}, latitude {south:g} to {north:g}"
