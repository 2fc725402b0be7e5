"""Where features lie on the globe: a box and an outline that are sane at the antimeridian."""

from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.affinity import translate
from shapely.geometry import MultiPoint, box, mapping
from shapely.geometry.base import BaseGeometry

from core.json import JsonObject
from services.vector.models import Bounds
from services.vector.native.crs import WGS84, same_crs

# A quarter of a degree: fine enough for the outline of a country, few enough to sort.
_BINS: Final = 1440
_DEGREES: Final = 360.0 / _BINS
_DIGITS: Final = 9
# About a hand's breadth.
_MARGIN: Final = 1e-6
_HALF: Final = 180.0


class Extent:
    """Takes the boxes of geometries and keeps, for each strip of longitude, what reaches it.

    Its memory is the same for ten features and for ten million.

    Args:
        crs: Of the boxes.
    """

    def __init__(self, crs: CRS) -> None:
        self._to_degrees = None if same_crs(crs, WGS84) else Transformer.from_crs(crs, WGS84, always_xy=True)
        # By the strip of the western edge, and by that of the eastern edge.
        self._west = _Strips(np.minimum, np.inf)
        self._east = _Strips(np.maximum, -np.inf)
        self._edges = np.zeros(_BINS + 1, np.int64)

    def add(self, bounds: NDArray[np.float64]) -> None:
        """Add boxes, shape (n, 4): xmin, ymin, xmax, ymax; rows with NaN are passed over.

        In degrees, an xmax beyond 180 stands for a box across the antimeridian.
        """
        degrees = self._in_degrees(bounds[np.isfinite(bounds).all(axis=1)])
        if not len(degrees):
            return
        west, south, east, north = degrees.T
        first, last = _strip(west), _strip(east)
        self._west.add(first, west, south, north)
        self._east.add(last, east, south, north)
        self._edges += np.bincount(first, minlength=_BINS + 1) - np.bincount(last + 1, minlength=_BINS + 1)

    def bbox(self) -> Bounds | None:
        """Return west, south, east, north; west > east where that is by far the smaller box."""
        if not self._west.any:
            return None
        south, north = self._west.lowest, self._west.highest
        gap = self._widest_gap()
        if gap is None:
            return _rounded(self._west.edge(), south, self._east.edge(), north)
        return _rounded(self._west.edge(gap[1]), south, self._east.edge(0, gap[0]), north)

    def footprint(self) -> JsonObject | None:
        """Return a hull in GeoJSON, in two parts where it crosses the antimeridian."""
        bbox = self.bbox()
        if bbox is None:
            return None
        corners = np.concatenate([self._west.corners(), self._east.corners()])
        if bbox[0] <= bbox[2]:
            return _as_json(_hull(corners))
        corners[corners[:, 0] < bbox[0], 0] += 360.0
        hull = _hull(corners)
        eastern = hull.intersection(box(-_HALF, -90, _HALF, 90))
        western = translate(hull.intersection(box(_HALF, -90, 3 * _HALF, 90)), -360.0)
        return _as_json(eastern.union(western))

    def _in_degrees(self, bounds: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._to_degrees is not None and len(bounds):
            west, south, east, north = bounds.T
            x, y = self._to_degrees.transform(
                np.stack([west, west, east, east]), np.stack([south, north, south, north])
            )
            bounds = np.stack([x.min(axis=0), y.min(axis=0), x.max(axis=0), y.max(axis=0)], axis=1)
            bounds = bounds[np.isfinite(bounds).all(axis=1)]
        bounds = np.clip(bounds, [-_HALF, -90, -_HALF, -90], [_HALF, 90, 3 * _HALF, 90])
        beyond = bounds[:, 2] > _HALF
        if not beyond.any():
            return bounds
        eastern, western = bounds[beyond].copy(), bounds[beyond].copy()
        eastern[:, 2], western[:, 0], western[:, 2] = _HALF, -_HALF, western[:, 2] - 360.0
        return np.concatenate([bounds[~beyond], eastern, western])

    def _widest_gap(self) -> tuple[int, int] | None:
        """Return the strips before and after the widest empty stretch, if the box should leave it out.

        Only a box of more than half the globe is turned, and only if that makes it smaller.
        """
        if self._east.edge() - self._west.edge() <= _HALF:
            return None
        filled = np.flatnonzero(np.cumsum(self._edges[:-1]) > 0)
        widths = np.diff(filled)
        outer = filled[0] + _BINS - filled[-1]
        if not len(widths) or widths.max() <= outer:
            return None
        widest = int(widths.argmax())
        return int(filled[widest]) + 1, int(filled[widest + 1])


class _Strips:
    """For each strip of longitude the outermost edge, and the lowest and highest latitude."""

    def __init__(self, outermost: np.ufunc, nothing: float) -> None:
        self._outermost = outermost
        self._edge = np.full(_BINS, nothing)
        self._south = np.full(_BINS, np.inf)
        self._north = np.full(_BINS, -np.inf)

    def add(
        self,
        strips: NDArray[np.int64],
        edge: NDArray[np.float64],
        south: NDArray[np.float64],
        north: NDArray[np.float64],
    ) -> None:
        self._outermost.at(self._edge, strips, edge)
        np.minimum.at(self._south, strips, south)
        np.maximum.at(self._north, strips, north)

    @property
    def any(self) -> bool:
        return bool(np.isfinite(self._edge).any())

    @property
    def lowest(self) -> float:
        return float(self._south.min())

    @property
    def highest(self) -> float:
        return float(self._north.max())

    def edge(self, first: int = 0, end: int = _BINS) -> float:
        return float(self._outermost.reduce(self._edge[first:end]))

    def corners(self) -> NDArray[np.float64]:
        used = np.isfinite(self._edge)
        edge = self._edge[used]
        return np.concatenate(
            [np.stack([edge, self._south[used]], 1), np.stack([edge, self._north[used]], 1)]
        )


def _strip(longitudes: NDArray[np.float64]) -> NDArray[np.int64]:
    strips: NDArray[np.int64] = np.clip(((longitudes + _HALF) / _DEGREES).astype(np.int64), 0, _BINS - 1)
    return strips


def _rounded(west: float, south: float, east: float, north: float) -> Bounds:
    return round(west, _DIGITS), round(south, _DIGITS), round(east, _DIGITS), round(north, _DIGITS)


def _hull(corners: NDArray[np.float64]) -> BaseGeometry:
    """Return a convex outline that is a polygon also for one point or a straight line of them."""
    hull = MultiPoint(corners).convex_hull
    return hull if hull.geom_type == "Polygon" else hull.buffer(_MARGIN, quad_segs=1)


def _as_json(shape: BaseGeometry) -> JsonObject:
    outline: JsonObject = mapping(shapely.orient_polygons(shapely.set_precision(shape, 10.0**-_DIGITS)))
    return outline
