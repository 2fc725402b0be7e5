"""Look at a stranger's raster: everything that decides whether and how it can be published."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from rasterio.io import DatasetReader

from core.errors import TaskFailed
from core.isolation import Child
from services.findings import Findings
from services.raster.codes import EXTENT_IMPOSSIBLE, PAGES_IGNORED
from services.raster.disk import required_disk
from services.raster.models import (
    InspectRaster,
    OutputEstimate,
    RasterReport,
    nodata_json,
)
from services.raster.native.acquisition import acquisition_time
from services.raster.native.crs import crs_name, parse_crs
from services.raster.native.description import palette
from services.raster.native.detection import band_overviews, detect_type
from services.raster.native.existing import is_cog_asked_for
from services.raster.native.extent import Placement, place
from services.raster.native.gdal_errors import GDAL_ERRORS
from services.raster.native.grid import TargetGrid, check_growth, target_grid
from services.raster.native.judgement import (
    judge_bit_depth,
    judge_border,
    judge_pixels,
    judge_tier,
    judge_type,
)
from services.raster.native.opening import open_source, workspace_file
from services.raster.native.pixels import Look, look_at
from services.raster.native.source import Claims, Source, read_source
from services.raster.tiers import suitable_tiers

logger = logging.getLogger(__name__)

_MOST_TAG_CHARACTERS: Final = 2000
_MOST_TAGS: Final = 200
_SENSOR_DOMAINS: Final = ("IMD", "IMAGERY")


def inspect_raster(request: InspectRaster, child: Child) -> RasterReport:
    """Report on a raster, or say everything that is wrong with it at once.

    Raises:
        TaskFailed: With the code of the first error, and all ``findings`` in the details.
    """
    path = workspace_file(child.workspace, request.path)
    sidecars = [workspace_file(child.workspace, name) for name in request.sidecars]
    findings = Findings()
    child.progress(0.0, "opening the raster")
    with open_source(path, sidecars) as (dataset, _):
        claims = Claims(request.input_crs, request.nodata, request.rpc_height, sidecars)
        source = read_source(dataset, claims, findings)
        report = _inspect(source, request, findings, child)
    child.progress(1.0, "raster inspected")
    return report


def _inspect(source: Source, request: InspectRaster, findings: Findings, child: Child) -> RasterReport:
    if subdatasets := source.dataset.subdatasets:
        findings.add("warning", PAGES_IGNORED, f"the file has {len(subdatasets)} images")
    judge_tier(source, request, findings)
    placement, grid = _place(source, request, findings)
    # Complex pixels and bands of several types cannot be looked at together.
    if source.dtype.startswith("complex") or len(set(source.dataset.dtypes)) > 1:
        findings.raise_errors()
    look = look_at(source, lambda part: child.progress(0.05 + 0.9 * part, "reading every block"))
    overviews = band_overviews(look)
    detected = detect_type(source, look)
    judge_pixels(look, request, findings)
    judge_border(source, look, findings)
    judge_bit_depth(source, look, overviews, strict=request.strict_mode, findings=findings)
    raster_type = judge_type(source, detected, overviews, request, findings)
    findings.raise_errors()
    if placement is None or grid is None or source.crs is None:
        raise AssertionError("a raster without a place passed without an error")
    return RasterReport.model_validate(
        _facts(source)
        | _pixel_facts(source, look)
        | {
            "crs": crs_name(source.crs),
            "bounds": placement.bounds,
            "pixel_size": _pixel_size(source, placement),
            "detected": detected,
            "raster_type": raster_type,
            "statistics": overviews,
            "output": _estimate(source, grid),
            "is_cog": is_cog_asked_for(source, request, grid),
            "findings": findings.items,
        }
    )


def _place(
    source: Source, request: InspectRaster, findings: Findings
) -> tuple[Placement | None, TargetGrid | None]:
    try:
        target = parse_crs(request.target_crs, "target_crs")
    except TaskFailed as error:
        findings.add("error", error.code, error.message)
        return None, None
    if source.crs is None or any(item.severity == "error" for item in findings.items):
        return None, None
    placement = place(source, source.crs, findings)
    if placement is None:
        return None, None
    try:
        grid = target_grid(source, source.crs, target, request.resolution, placement)
    except GDAL_ERRORS as error:
        findings.add("error", EXTENT_IMPOSSIBLE, f"{request.target_crs} cannot hold the extent: {error}")
        return placement, None
    check_growth(source, grid, findings)
    return placement, grid


def _facts(source: Source) -> dict[str, Any]:
    dataset = source.dataset
    return {
        "driver": dataset.driver,
        "nbytes": _file_size(dataset),
        "crs_source": source.crs_source,
        "band_count": dataset.count,
        "height": dataset.height,
        "width": dataset.width,
        "dtype": source.dtype,
        "transform": tuple(source.transform)[:6] if source.transform else None,
        "georeferencing": source.georeferencing,
        "gcp_count": len(source.gcps),
        "colour_interpretation": [meaning.name for meaning in dataset.colorinterp],
        "palette": palette(dataset),
        "scales": list(dataset.scales),
        "offsets": list(dataset.offsets),
        "units": [unit or None for unit in dataset.units],
        "descriptions": [text or None for text in dataset.descriptions],
        "tiers": suitable_tiers(source.dtype, dataset.count, has_alpha=source.alpha_band is not None),
        "compression": dataset.compression.value if dataset.compression else None,
        "tags": _limited(all_tags(dataset)),
        "acquired": acquisition_time(dataset),
    }


def _file_size(dataset: DatasetReader) -> int:
    return Path(dataset.name).stat().st_size


def _pixel_facts(source: Source, look: Look) -> dict[str, Any]:
    undeclared_nan = source.validity == "none" and look.any_nan
    return {
        "nodata": nodata_json(source.nodata),
        "validity": "nan" if undeclared_nan else source.validity,
        "unused_value": look.unused,
    }


def _pixel_size(source: Source, placement: Placement) -> tuple[float, float]:
    affine = source.transform
    if affine is not None:
        return math.hypot(affine.a, affine.d), math.hypot(affine.b, affine.e)
    west, south, east, north = placement.bounds
    return (east - west) / source.dataset.width, (north - south) / source.dataset.height


def _estimate(source: Source, grid: TargetGrid) -> OutputEstimate:
    nbytes = grid.height * grid.width * source.dataset.count * np.dtype(source.dtype).itemsize
    return OutputEstimate(
        height=grid.height,
        width=grid.width,
        nbytes=nbytes,
        required_disk_bytes=required_disk(_file_size(source.dataset), nbytes),
        reprojected=grid.reproject,
    )


def all_tags(dataset: DatasetReader) -> dict[str, str]:
    """Return the tags of the default domain, and those that sensors leave, under their domain's name."""
    tags: dict[str, str] = dict(dataset.tags())
    for domain in _SENSOR_DOMAINS:
        tags |= {f"{domain}:{key}": value for key, value in dataset.tags(ns=domain).items()}
    return tags


def _limited(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags as far as a task's result has room for them."""
    kept = sorted(tags.items())[:_MOST_TAGS]
    return {key[:200]: value[:_MOST_TAG_CHARACTERS] for key, value in kept}
