"""Where a raster lies on the Earth, and whether it can."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.transform import Affine
from rasterio.warp import transform

from services.findings import Findings
from services.raster.codes import ANTIMERIDIAN, EXTENT_IMPOSSIBLE, EXTENT_SUSPICIOUS, POLE
from services.raster.models import Bounds
from services.raster.native.crs import WGS84
from services.raster.native.gdal_errors import GDAL_ERRORS
from services.raster.native.source import Source

Coordinates = npt.NDArray[np.float64]

_GRID: Final = 21
# Eastings beyond these are far outside every UTM zone.
_UTM_EASTINGS: Final = (-1_000_000.0, 2_000_000.0)
_TOLERANCE_DEGREES: Final = 0.01


@dataclass(frozen=True)
class Placement:
    """A grid of points of a raster, in its CRS and in degrees.

    Args:
        x: Shape (21, 21), rows from the top.
        longitude: Unwrapped: neighbours differ by less than 180 degrees, so values may pass 180.
        crosses_antimeridian: Whether the longitudes do pass it.
        pole: Latitude of a pole that lies inside, if one does.
    """

    x: Coordinates
    y: Coordinates
    longitude: Coordinates
    latitude: Coordinates
    crosses_antimeridian: bool
    pole: float | None

    @property
    def bounds(self) -> Bounds:
        """West, south, east, north in the CRS of the raster."""
        return (float(self.x.min()), float(self.y.min()), float(self.x.max()), float(self.y.max()))


def place(source: Source, crs: CRS, findings: Findings) -> Placement | None:
    """Put a grid of points of a raster on the Earth, adding what is odd to `findings`.

    Returns:
        None if the raster lies nowhere, and a finding says so.
    """
    x, y = grid_in_crs(source)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        findings.add("error", EXTENT_IMPOSSIBLE, "corners of the raster have no finite coordinates")
        return None
    longitude, latitude = lonlat(crs, x, y)
    if not _check(crs, (x, y), (longitude, latitude), findings):
        return None
    affine, dataset = source.transform, source.dataset
    pole = pole_inside(crs, affine, dataset.height, dataset.width) if affine else None
    unwrapped = unwrap(longitude)
    crosses = pole is None and bool(unwrapped.max() > 180 + 1e-9 or unwrapped.min() < -180 - 1e-9)
    if crosses:
        findings.add(
            "info", ANTIMERIDIAN, f"longitudes run from {unwrapped.min():.4f} to {unwrapped.max():.4f}"
        )
    if pole is not None:
        findings.add("info", POLE, f"the {'north' if pole > 0 else 'south'} pole lies inside")
    return Placement(x, y, unwrapped, latitude, crosses, pole)


def grid_in_crs(source: Source, steps: int = _GRID) -> tuple[Coordinates, Coordinates]:
    """Return coordinates of `steps` x `steps` points from corner to corner of a raster."""
    rows = np.linspace(0, source.dataset.height, steps)
    columns = np.linspace(0, source.dataset.width, steps)
    column, row = np.meshgrid(columns, rows)
    with source.lonlat_transformer() as transformer:
        x, y = transformer.xy(row.ravel(), column.ravel(), offset="ul")
    return np.asarray(x).reshape(row.shape), np.asarray(y).reshape(row.shape)


def lonlat(crs: CRS, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Return longitudes and latitudes in degrees, infinite where there are none."""
    if crs == WGS84:
        return x.astype(float), y.astype(float)
    longitude, latitude = transform_points(crs, WGS84, x.ravel(), y.ravel())
    return longitude.reshape(x.shape), latitude.reshape(x.shape)


def transform_points(
    crs: CRS, target: CRS, x: Coordinates, y: Coordinates
) -> tuple[Coordinates, Coordinates]:
    """Transform points, giving infinity for those that have no place in the target."""
    try:
        xs, ys = transform(crs, target, x, y)
    except GDAL_ERRORS:
        # rasterio gives none of the points if one of them fails.
        pairs = [_transform_point(crs, target, point) for point in zip(x.tolist(), y.tolist(), strict=True)]
        xs, ys = zip(*pairs, strict=True)
    return np.asarray(xs, float), np.asarray(ys, float)


def _transform_point(crs: CRS, target: CRS, point: tuple[float, float]) -> tuple[float, float]:
    try:
        [x], [y] = transform(crs, target, [point[0]], [point[1]])
    except GDAL_ERRORS:
        return math.inf, math.inf
    return float(x), float(y)


def unwrap(longitude: Coordinates) -> Coordinates:
    """Return longitudes without jumps along rows and columns, the middle within 180 degrees."""
    rows = np.unwrap(longitude, period=360, axis=1)
    first = np.unwrap(rows[:, 0], period=360)
    unwrapped = rows + (first - rows[:, 0])[:, np.newaxis]
    middle = float(unwrapped.mean())
    return np.asarray(unwrapped - 360 * math.floor((middle + 180) / 360))


def _check(
    crs: CRS,
    xy: tuple[Coordinates, Coordinates],
    degrees: tuple[Coordinates, Coordinates],
    findings: Findings,
) -> bool:
    x, y = xy
    longitude, latitude = degrees
    placed = np.isfinite(longitude) & np.isfinite(latitude)
    extent = f"x {x.min():.6g} to {x.max():.6g}, y {y.min():.6g} to {y.max():.6g}"
    if not placed.any():
        findings.add("error", EXTENT_IMPOSSIBLE, f"{extent} lies nowhere on the Earth")
        return False
    if crs.is_geographic:
        return _check_degrees(longitude, latitude, extent, findings)
    if not placed.all():
        findings.add(
            "warning", EXTENT_SUSPICIOUS, f"{extent} reaches beyond what the CRS can place on the Earth"
        )
        return False if placed.mean() < 0.5 else _fill(longitude, latitude, placed)
    _check_metres(crs, x, y, extent, findings)
    return True


def _fill(longitude: Coordinates, latitude: Coordinates, placed: npt.NDArray[np.bool_]) -> bool:
    """Give points off the Earth the place of the mean, so that extents leave them out."""
    longitude[~placed] = longitude[placed].mean()
    latitude[~placed] = latitude[placed].mean()
    return True


def _check_degrees(longitude: Coordinates, latitude: Coordinates, extent: str, findings: Findings) -> bool:
    beyond_pole = float(np.abs(latitude).max()) > 90 + _TOLERANCE_DEGREES
    # Longitudes from 0 to 360 and beyond 180 are in use; more than once around is not.
    far = float(np.abs(longitude).max()) > 540
    wide = float(np.ptp(longitude)) > 360 + 1
    if beyond_pole or far or wide:
        findings.add("error", EXTENT_IMPOSSIBLE, f"{extent} are no degrees")
        return False
    np.clip(latitude, -90, 90, out=latitude)
    return True


def _check_metres(crs: CRS, x: Coordinates, y: Coordinates, extent: str, findings: Findings) -> None:
    code = crs.to_epsg() or 0
    utm = 32601 <= code <= 32660 or 32701 <= code <= 32760
    if utm and (x.min() < _UTM_EASTINGS[0] or x.max() > _UTM_EASTINGS[1]):
        findings.add("warning", EXTENT_SUSPICIOUS, f"{extent} lies far outside the UTM zone")
    elif np.abs(x).max() <= 360 and np.abs(y).max() <= 90:
        findings.add("warning", EXTENT_SUSPICIOUS, f"{extent} look like degrees; the CRS is in metres")


def pole_inside(crs: CRS, affine: Affine, height: int, width: int) -> float | None:
    """Return the latitude of a pole that falls on a pixel, where the CRS makes poles points."""
    if crs.is_geographic:
        return None
    for latitude in (90.0, -90.0):
        x, y = _transform_point(WGS84, crs, (0.0, latitude))
        if not (math.isfinite(x) and math.isfinite(y)):
            continue
        column, row = ~affine @ (x, y)
        if 0 <= column <= width and 0 <= row <= height and _is_a_point(crs, latitude, (x, y)):
            return latitude
    return None


def _is_a_point(crs: CRS, latitude: float, pole: tuple[float, float]) -> bool:
    """Tell whether all meridians meet at the pole; on cylinders they end in a line."""
    return math.dist(_transform_point(WGS84, crs, (90.0, latitude)), pole) < 1.0
