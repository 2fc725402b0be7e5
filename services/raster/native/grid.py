"""The grid of the COG: whether pixels must be resampled, and on which grid they come to lie."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import calculate_default_transform

from services.findings import Findings
from services.raster.codes import OUTPUT_TOO_LARGE
from services.raster.models import Bounds
from services.raster.native.crs import crs_name, same_crs
from services.raster.native.extent import Placement, transform_points
from services.raster.native.source import Source

# A warp that gives more pixels than this for one of the source went wrong at a pole or an edge.
_MOST_GROWTH: Final = 16
_LEAST_PIXELS: Final = 4_000_000


@dataclass(frozen=True)
class TargetGrid:
    """What the COG driver is told.

    Args:
        crs: CRS of the COG.
        reproject: False if pixels are copied as they are.
        extent: West, south, east, north and the pixel size, where they are not left to GDAL.
        resolution: Pixel size, likewise.
        height: Rows of the COG, exact or as GDAL suggests.
        width: Its columns.
    """

    crs: CRS
    reproject: bool
    height: int
    width: int
    extent: Bounds | None = None
    resolution: float | None = None


def target_grid(
    source: Source, crs: CRS, target: CRS, resolution: float | None, placement: Placement
) -> TargetGrid:
    """Decide on the grid: GDAL's own suggestion unless there is a reason to know better."""
    dataset = source.dataset
    same = source.transform is not None and same_crs(crs, target)
    if same and (resolution is None or _on_grid(source, resolution)):
        return TargetGrid(target, False, dataset.height, dataset.width)
    # GDAL would make a raster around the whole Earth of one that crosses the antimeridian.
    if resolution is None and not (target.is_geographic and placement.crosses_antimeridian):
        height, width = _suggested_shape(source, crs, target, placement.bounds)
        return TargetGrid(target, True, height, width)
    bounds = _bounds_in(target, crs, placement)
    size = resolution or _diagonal_resolution(source, bounds)
    extent = snap_outward(bounds, size)
    height, width = round((extent[3] - extent[1]) / size), round((extent[2] - extent[0]) / size)
    return TargetGrid(target, True, height, width, extent, size)


def check_growth(source: Source, grid: TargetGrid, findings: Findings) -> None:
    """Add an error if the warp would blow the raster up out of proportion."""
    pixels = grid.height * grid.width
    before = source.dataset.height * source.dataset.width
    if grid.resolution is None and pixels > max(_LEAST_PIXELS, _MOST_GROWTH * before):
        findings.add(
            "error",
            OUTPUT_TOO_LARGE,
            f"{source.dataset.width} x {source.dataset.height} pixels would become "
            f"{grid.width} x {grid.height} in {crs_name(grid.crs)[:60]}",
        )


def snap_outward(bounds: Bounds, size: float) -> Bounds:
    """Widen bounds to multiples of a pixel size; what lies on one within a millionth stays."""
    west, south, east, north = (value / size for value in bounds)
    return (
        math.floor(west + 1e-6) * size,
        math.floor(south + 1e-6) * size,
        math.ceil(east - 1e-6) * size,
        math.ceil(north - 1e-6) * size,
    )


def _on_grid(source: Source, resolution: float) -> bool:
    affine = source.transform
    if affine is None or source.georeferencing != "affine":
        return False
    square = math.isclose(affine.a, resolution, rel_tol=1e-9) and math.isclose(
        -affine.e, resolution, rel_tol=1e-9
    )
    offsets = (affine.c / resolution, affine.f / resolution)
    return square and all(abs(offset - round(offset)) < 1e-6 for offset in offsets)


def _suggested_shape(source: Source, crs: CRS, target: CRS, bounds: Bounds) -> tuple[int, int]:
    dataset = source.dataset
    size = dataset.width, dataset.height
    if source.georeferencing == "gcps":
        _, width, height = calculate_default_transform(crs, target, *size, gcps=source.gcps)
    elif source.georeferencing == "rpcs":
        _, width, height = calculate_default_transform(
            crs, target, *size, rpcs=dataset.rpcs, RPC_HEIGHT=source.rpc_height
        )
    else:
        _, width, height = calculate_default_transform(crs, target, *size, *bounds)
    return int(height), int(width)


def _bounds_in(target: CRS, crs: CRS, placement: Placement) -> Bounds:
    if target.is_geographic:
        x, y = placement.longitude, placement.latitude
    elif same_crs(crs, target):
        x, y = placement.x, placement.y
    else:
        x, y = transform_points(crs, target, placement.x.ravel(), placement.y.ravel())
        finite = np.isfinite(x) & np.isfinite(y)
        x, y = x[finite], y[finite]
    if not x.size:
        raise RasterioError(f"no point of the raster lies in {crs_name(target)}")
    return (float(x.min()), float(y.min()), float(x.max()), float(y.max()))


def _diagonal_resolution(source: Source, bounds: Bounds) -> float:
    """Return the pixel size that keeps the number of pixels on the diagonal, as GDAL does."""
    diagonal = math.hypot(bounds[2] - bounds[0], bounds[3] - bounds[1])
    return diagonal / math.hypot(source.dataset.width, source.dataset.height)
