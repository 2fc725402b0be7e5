"""Write a Cloud Optimized GeoTIFF with GDAL's COG driver, and prove that it is one."""

import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import rasterio
from rasterio.io import DatasetReader
from rasterio.shutil import copy

from core.errors import TaskFailed
from core.isolation import Child
from services.findings import Findings
from services.raster.codes import CORRUPT, RESAMPLING_INVALID
from services.raster.disk import require_disk
from services.raster.models import CogWritten, WriteCog
from services.raster.native.crs import crs_name, parse_crs
from services.raster.native.extent import place
from services.raster.native.gdal_errors import GDAL_ERRORS
from services.raster.native.grid import check_growth, target_grid
from services.raster.native.growth import GrowthWatch
from services.raster.native.opening import open_source, without_paths, workspace_file
from services.raster.native.plan import plan_validity
from services.raster.native.readback import read_back
from services.raster.native.source import Claims, Source, read_source
from services.raster.native.vrt import View, write_vrt
from services.raster.native.writing import Writing
from services.raster.tiers import BLOCK_SIZE, CLASS_METHODS, TIERS, TYPES, Resampling, predictor

logger = logging.getLogger(__name__)


def write_cog(request: WriteCog, child: Child) -> CogWritten:
    """Write a source of the workspace as a COG beside it; writing again replaces it.

    Raises:
        TaskFailed: What `inspect_raster` refuses, ``raster.disk_full``,
            ``raster.tier_unsuitable``, ``raster.resampling_invalid``, ``raster.corrupt``, or
            ``raster.cog_invalid`` if the result is not what was asked for.
    """
    path = workspace_file(child.workspace, request.path)
    output = workspace_file(child.workspace, request.output)
    sidecars = [workspace_file(child.workspace, name) for name in request.sidecars]
    findings = Findings()
    child.progress(0.0, "opening the raster")
    with open_source(path, sidecars) as (dataset, _):
        claims = Claims(request.input_crs, request.nodata, request.rpc_height, sidecars)
        source = read_source(dataset, claims, findings)
        writing = _prepare(source, request, findings, child.workspace)
        require_disk(child.workspace, 0, writing.nbytes)
        with GrowthWatch(output, writing.nbytes, child.progress):
            _write(writing)
        child.progress(0.95, "reading the COG back")
        written = read_back(writing, findings)
    child.progress(1.0, "COG written")
    logger.info("cog written", extra={"nbytes": written.nbytes, "tier": request.tier})
    return written


def _prepare(source: Source, request: WriteCog, findings: Findings, workspace: Path) -> Writing:
    target = parse_crs(request.target_crs, "target_crs")
    warp, overview = _methods(request)
    findings.raise_errors()
    if source.crs is None:
        raise AssertionError("a raster without a CRS passed without an error")
    placement = place(source, source.crs, findings)
    findings.raise_errors()
    if placement is None:
        raise AssertionError("a raster without a place passed without an error")
    grid = target_grid(source, source.crs, target, request.resolution, placement)
    check_growth(source, grid, findings)
    findings.raise_errors()
    plan = plan_validity(source, grid, request, findings)
    return Writing(source, grid, plan, request, warp, overview, workspace)


def _methods(request: WriteCog) -> tuple[Resampling, Resampling]:
    profile = TYPES[request.raster_type]
    warp = request.warp_resampling or profile.warp
    overview = request.overview_resampling or profile.overview
    if request.raster_type == "categorical" and not {warp, overview} <= CLASS_METHODS:
        raise TaskFailed(RESAMPLING_INVALID, f"{warp} and {overview} would invent classes")
    return warp, overview


def _write(writing: Writing) -> None:
    vrt = writing.output.with_suffix(".source.vrt")
    scratch = writing.output.with_suffix(".scratch.tif")
    write_vrt(_source_view(writing), vrt)
    with ExitStack() as stack:
        for path in (vrt, scratch):
            stack.callback(path.unlink, missing_ok=True)
        if not writing.plan.two_steps:
            _create(vrt, writing.output, _options(writing) | _warp_options(writing))
            return
        _create(vrt, scratch, _scratch_options(writing) | _warp_options(writing))
        with rasterio.open(scratch, driver="GTiff") as warped:
            write_vrt(_warped_view(writing, warped), vrt)
        _create(vrt, writing.output, _options(writing))


def _source_view(writing: Writing) -> View:
    source, plan = writing.source, writing.plan
    if source.crs is None:
        raise AssertionError("a raster without a CRS is written")
    return View(
        pixels=source.dataset,
        names=source.dataset,
        bands=plan.bands,
        crs=source.crs,
        transform=source.transform,
        nodata=plan.nodata,
        mask=plan.mask,
        rpc_height=source.rpc_height,
    )


def _warped_view(writing: Writing, warped: DatasetReader) -> View:
    """Show what was warped with the names of the source, and its alpha band as the mask it was."""
    masked = writing.plan.validity == "mask"
    return View(
        pixels=warped,
        names=writing.source.dataset,
        bands=writing.plan.bands if masked else tuple(warped.indexes),
        crs=warped.crs,
        transform=warped.transform,
        nodata=writing.plan.nodata,
        mask=(str(warped.count),) if masked else (),
    )


def _create(source: Path, output: Path, options: Mapping[str, str]) -> None:
    # rasterio turns options into capitals, so none may depend on its case.
    try:
        with rasterio.open(source, driver="VRT") as dataset:
            copy(dataset, str(output), driver="COG", **options)
    except GDAL_ERRORS as error:
        reason = without_paths(str(error.__cause__ or error), source.parent)
        raise TaskFailed(CORRUPT, f"the COG driver stopped: {reason}") from error


def _options(writing: Writing) -> dict[str, str]:
    profile = TIERS[writing.request.tier]
    options = {
        "COMPRESS": profile.compression,
        "BLOCKSIZE": str(BLOCK_SIZE),
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": _threads(writing),
        "OVERVIEWS": "IGNORE_EXISTING",
        "OVERVIEW_RESAMPLING": writing.overview,
        "WARP_RESAMPLING": writing.warp,
        "STATISTICS": "YES",
    }
    if profile.lossless:
        return options | {"PREDICTOR": predictor(writing.source.dtype)}
    return options | {"QUALITY": str(writing.request.jpeg_quality)}


def _scratch_options(writing: Writing) -> dict[str, str]:
    return {
        "COMPRESS": "LZW",
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": _threads(writing),
        "OVERVIEWS": "NONE",
        "WARP_RESAMPLING": writing.warp,
    }


def _threads(writing: Writing) -> str:
    # The option wins over GDAL's own setting, so it must repeat it.
    return str(writing.request.threads or os.environ.get("GDAL_NUM_THREADS", "ALL_CPUS"))


def _warp_options(writing: Writing) -> dict[str, str]:
    grid = writing.grid
    if not grid.reproject:
        return {}
    options = {"TARGET_SRS": crs_name(grid.crs), "ADD_ALPHA": "YES" if writing.plan.add_alpha else "NO"}
    if grid.extent is not None and grid.resolution is not None:
        options["EXTENT"] = ",".join(repr(value) for value in grid.extent)
        options["RES"] = repr(grid.resolution)
    return options
