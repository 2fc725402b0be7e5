"""Open a COG that was just written and compare it with what was asked for."""

import math
from collections.abc import Iterator

import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from core.checksums import multihash
from core.errors import TaskFailed
from services.findings import Findings
from services.raster.codes import COG_INVALID
from services.raster.models import CogWritten, Validity, nodata_json
from services.raster.native.crs import crs_name, same_crs
from services.raster.native.existing import passes_validation
from services.raster.native.gdal_errors import GDAL_ERRORS
from services.raster.native.writing import Writing
from services.raster.tiers import BLOCK_SIZE, TIERS


def read_back(writing: Writing, findings: Findings) -> CogWritten:
    """Validate the output of `writing`, decode parts of it, and say what it is.

    Raises:
        TaskFailed: ``raster.cog_invalid``, with every difference.
    """
    path = writing.output
    if not passes_validation(str(path)):
        raise TaskFailed(COG_INVALID, "rio cogeo validate --strict refuses it")
    with rasterio.open(path, driver="GTiff") as dataset:
        if differences := [*_differences(writing, dataset), *_decoding_errors(dataset)]:
            raise TaskFailed(COG_INVALID, "; ".join(differences), differences=differences)
        return _describe(writing, dataset, findings)


def validity_of(dataset: DatasetReader) -> Validity:
    """Return how a COG tells which of its pixels are valid."""
    if ColorInterp.alpha in dataset.colorinterp:
        return "alpha"
    if dataset.nodata is not None:
        return "nan" if math.isnan(dataset.nodata) else "nodata"
    return "mask" if MaskFlags.per_dataset in dataset.mask_flag_enums[0] else "none"


def _differences(writing: Writing, cog: DatasetReader) -> Iterator[str]:
    source, plan = writing.source.dataset, writing.plan
    bands = [band - 1 for band in plan.bands]
    structure = cog.tags(ns="IMAGE_STRUCTURE")
    nodata = nodata_json(plan.nodata)
    kept = len(bands)
    compared = (
        ("band count", kept + plan.alpha_added, cog.count),
        ("data types", {writing.source.dtype}, set(cog.dtypes)),
        ("nodata", nodata, nodata_json(cog.nodata)),
        ("validity", plan.validity, validity_of(cog)),
        ("CRS", True, same_crs(cog.crs, writing.grid.crs)),
        ("compression", True, structure.get("COMPRESSION", "").endswith(_compression(writing))),
        ("block size", {(BLOCK_SIZE, BLOCK_SIZE)}, set(cog.block_shapes)),
        ("colours", _picked(source.colorinterp, bands), list(cog.colorinterp[:kept])),
        ("descriptions", _picked(source.descriptions, bands), list(cog.descriptions[:kept])),
        ("units", _picked(source.units, bands), list(cog.units[:kept])),
        ("scales", _picked(source.scales, bands), list(cog.scales[:kept])),
        ("offsets", _picked(source.offsets, bands), list(cog.offsets[:kept])),
        ("palette", _palette(source), _palette(cog)),
    )
    for name, wanted, found in compared:
        if wanted != found:
            yield f"{name}: {wanted} became {found}"
    if not writing.grid.reproject and writing.source.transform != cog.transform:
        yield f"geotransform: {writing.source.transform!r} became {cog.transform!r}"


def _picked(values: tuple[object, ...], bands: list[int]) -> list[object]:
    return [values[band] for band in bands]


def _palette(dataset: DatasetReader) -> dict[int, tuple[int, ...]] | None:
    if dataset.colorinterp[0] != ColorInterp.palette:
        return None
    return {value: tuple(rgba) for value, rgba in dataset.colormap(1).items() if any(rgba[:3])}


def _compression(writing: Writing) -> str:
    return TIERS[writing.request.tier].compression


def _decoding_errors(cog: DatasetReader) -> Iterator[str]:
    """Decode blocks at the corners and in the middle, of every level."""
    for level in (None, *range(len(cog.overviews(1)))):
        options = {} if level is None else {"OVERVIEW_LEVEL": level}
        with rasterio.open(cog.name, driver="GTiff", **options) as dataset:
            for row in (0, dataset.height // 2, dataset.height - 1):
                for column in (0, dataset.width // 2, dataset.width - 1):
                    try:
                        dataset.read(window=Window(column, row, 1, 1), masked=True)
                    except GDAL_ERRORS as error:
                        yield f"row {row}, column {column}: {error}"


def _describe(writing: Writing, cog: DatasetReader, findings: Findings) -> CogWritten:
    path = writing.output
    structure = cog.tags(ns="IMAGE_STRUCTURE")
    return CogWritten(
        path=writing.request.output,
        nbytes=path.stat().st_size,
        checksum=multihash(path),
        tier=writing.request.tier,
        band_count=cog.count,
        height=cog.height,
        width=cog.width,
        dtype=cog.dtypes[0],
        crs=crs_name(cog.crs),
        bounds=tuple(cog.bounds),
        transform=tuple(cog.transform)[:6],
        nodata=nodata_json(cog.nodata),
        validity=validity_of(cog),
        alpha_added=writing.plan.alpha_added,
        overviews=cog.overviews(1),
        compression=TIERS[writing.request.tier].compression,
        predictor=structure.get("PREDICTOR"),
        block_size=BLOCK_SIZE,
        reprojected=writing.grid.reproject,
        warp_resampling=writing.warp if writing.grid.reproject else None,
        overview_resampling=writing.overview,
        findings=findings.items,
    )
