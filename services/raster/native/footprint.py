"""The outline of a raster on the Earth, as GeoJSON wants it."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.transform import Affine

from core.json import JsonObject
from services.raster.models import Bounds
from services.raster.native.extent import Coordinates, lonlat, pole_inside

Ring = list[tuple[float, float]]

_POINTS_PER_EDGE: Final = 32
_DIGITS: Final = 9
_EPSILON: Final = 1e-9


@dataclass(frozen=True)
class Footprint:
    """Where a raster lies.

    Args:
        geometry: Polygon, or MultiPolygon where it crosses the antimeridian.
        bbox: West, south, east, north; west > east across the antimeridian.
    """

    geometry: JsonObject
    bbox: Bounds


def footprint(crs: CRS, transform: Affine, height: int, width: int) -> Footprint:
    """Return the outline of a raster in EPSG:4326.

    Edges get further points before they are transformed, because a straight edge in UTM is a
    curve in degrees.

    Source:
        RFC 7946, sections 3.1.6 (order of rings), 3.1.9 (antimeridian) and 5.2 (bbox across it).
    """
    longitude, latitude = _outline(crs, transform, height, width)
    pole = pole_inside(crs, transform, height, width)
    south, north = float(latitude.min()), float(latitude.max())
    if pole is not None:
        ring = _around_pole(longitude, latitude, pole)
        bounds = (-180.0, min(south, pole), 180.0, max(north, pole))
        return Footprint(_geometry([ring]), _rounded(bounds))
    longitude = _centred(longitude)
    west, east = float(longitude.min()), float(longitude.max())
    if east - west >= 360 - _EPSILON:
        bounds = (-180.0, south, 180.0, north)
        return Footprint(_geometry([_rectangle(bounds)]), _rounded(bounds))
    ring = list(zip(longitude.tolist(), latitude.tolist(), strict=True))
    bounds = (_wrapped(west), south, _wrapped(east), north)
    return Footprint(_geometry(split_at_antimeridian(ring)), _rounded(bounds))


def split_at_antimeridian(ring: Ring) -> list[Ring]:
    """Cut a ring with unwrapped longitudes into rings between -180 and 180 degrees."""
    pieces = []
    for turn in (-360.0, 0.0, 360.0):
        inside = _clip(_clip(ring, turn - 180, keep_above=True), turn + 180, keep_above=False)
        if inside and np.ptp([x for x, _ in inside]) > _EPSILON:
            pieces.append([(x - turn, y) for x, y in inside])
    return pieces


def _clip(ring: Ring, limit: float, *, keep_above: bool) -> Ring:
    """Keep the part of a ring on one side of a meridian."""

    def inside(x: float) -> bool:
        return x >= limit if keep_above else x <= limit

    kept: Ring = []
    for (x0, y0), (x1, y1) in zip([ring[-1], *ring[:-1]] if ring else [], ring, strict=True):
        if inside(x0) != inside(x1):
            kept.append((limit, y0 + (limit - x0) / (x1 - x0) * (y1 - y0)))
        if inside(x1):
            kept.append((x1, y1))
    return kept


def _outline(crs: CRS, transform: Affine, height: int, width: int) -> tuple[Coordinates, Coordinates]:
    """Return unwrapped longitudes and latitudes along the edges, the first point not repeated."""
    steps = np.linspace(0, 1, _POINTS_PER_EDGE, endpoint=False)
    zero, one = np.zeros_like(steps), np.ones_like(steps)
    columns = np.concatenate([zero, steps, one, 1 - steps]) * width
    rows = np.concatenate([steps, one, 1 - steps, zero]) * height
    x, y = transform @ (columns, rows)
    longitude, latitude = lonlat(crs, np.asarray(x, float), np.asarray(y, float))
    # Corners may lie beyond the Earth's edge, as those of a whole disc seen from space do.
    placed = np.isfinite(longitude) & np.isfinite(latitude)
    # With all points there are: corners alone may be half the Earth apart, or all of it.
    unwrapped = np.full(longitude.shape, np.nan)
    unwrapped[placed] = np.unwrap(longitude[placed], period=360)
    keep = placed & ~_straight(unwrapped, latitude)
    return unwrapped[keep], np.clip(latitude[keep], -90, 90)


def _straight(unwrapped: Coordinates, latitude: Coordinates) -> npt.NDArray[np.bool_]:
    """Mark the points between the ends of those edges that are straight in degrees."""
    marks = np.zeros(unwrapped.shape, bool)
    for start in range(0, len(unwrapped), _POINTS_PER_EDGE):
        edge = slice(start, start + _POINTS_PER_EDGE)
        deviations = [np.abs(np.diff(values[edge], 2)).max() for values in (unwrapped, latitude)]
        marks[start + 1 : start + _POINTS_PER_EDGE] = max(deviations) < _EPSILON
    return marks


def _centred(longitude: Coordinates) -> Coordinates:
    middle = (float(longitude.min()) + float(longitude.max())) / 2
    return np.asarray(longitude - 360 * math.floor((middle + 180) / 360))


def _around_pole(longitude: Coordinates, latitude: Coordinates, pole: float) -> Ring:
    """Return the ring of a raster that holds a pole: its edge, and the pole's parallel as a line."""
    wrapped = (longitude + 180) % 360 - 180
    order = np.argsort(wrapped)
    x, y = wrapped[order], latitude[order]
    at_180 = float(np.interp(180, [x[-1], x[0] + 360], [y[-1], y[0]]))
    edge = [(-180.0, at_180), *zip(x.tolist(), y.tolist(), strict=True), (180.0, at_180)]
    return [*edge, (180.0, pole), (-180.0, pole)]


def _rectangle(bounds: Bounds) -> Ring:
    west, south, east, north = bounds
    return [(west, south), (east, south), (east, north), (west, north)]


def _wrapped(longitude: float) -> float:
    """Return a longitude between -180 and 180; both stay as they are."""
    if -180 <= longitude <= 180:
        return longitude
    return (longitude + 180) % 360 - 180


def _geometry(rings: list[Ring]) -> JsonObject:
    polygons = [[_closed(ring)] for ring in rings]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _closed(ring: Ring) -> list[list[float]]:
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True))
    turned = ring if area > 0 else ring[::-1]
    return [[round(x, _DIGITS), round(y, _DIGITS)] for x, y in [*turned, turned[0]]]


def _rounded(bounds: Bounds) -> Bounds:
    west, south, east, north = (round(value, _DIGITS) for value in bounds)
    return west, south, east, north
