"""Describe a COG in the terms of a STAC item."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.transform import Affine

from core.checksums import multihash
from core.errors import TaskFailed
from core.isolation import Child
from services.raster.codes import COG_INVALID
from services.raster.models import (
    BandDescription,
    BandStatistics,
    CogDescription,
    DescribeCog,
    PaletteEntry,
    nodata_json,
)
from services.raster.native.acquisition import acquisition_time
from services.raster.native.crs import crs_name
from services.raster.native.footprint import footprint
from services.raster.native.opening import open_source, workspace_file

# Statistics that the writing left out are made from the overview nearest to this many pixels.
_STATISTICS_EDGE: Final = 2048
# Names of the STAC extension eo.
_COMMON_NAMES: Final = {
    ColorInterp.red: "red",
    ColorInterp.green: "green",
    ColorInterp.blue: "blue",
}
_NAMES_IN_DESCRIPTIONS: Final = frozenset(
    {"pan", "coastal", "blue", "green", "red", "yellow", "rededge", "rededge071", "rededge075"}
    | {"rededge078", "nir", "nir08", "nir09", "cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12"}
)


def describe_cog(request: DescribeCog, child: Child) -> CogDescription:
    """Describe a COG of the workspace."""
    path = workspace_file(child.workspace, request.path)
    with open_source(path) as (dataset, _):
        place = footprint(dataset.crs, dataset.transform, dataset.height, dataset.width)
        child.progress(0.3, "footprint computed")
        bands, exact = _bands(dataset)
        name = crs_name(dataset.crs)
        is_code = not name.startswith(("PROJ", "GEOG", "GEOD", "BOUND", "COMPOUND", "DERIVED"))
        return CogDescription(
            geometry=place.geometry,
            bbox=place.bbox,
            proj_code=name if is_code else None,
            proj_wkt2=None if is_code else name,
            proj_shape=(dataset.height, dataset.width),
            proj_transform=[float(value) for value in dataset.transform],
            proj_bbox=_projected_bounds(dataset.transform, dataset.height, dataset.width),
            bands=bands,
            statistics_exact=exact,
            palette=palette(dataset),
            gsd=_ground_sample_distance(dataset),
            acquired=acquisition_time(dataset),
            nbytes=path.stat().st_size,
            checksum=request.checksum or multihash(path),
            software={"GDAL": rasterio.__gdal_version__, "rasterio": rasterio.__version__},
        )


def palette(dataset: DatasetReader) -> list[PaletteEntry]:
    """Return the colours of the first band, empty if it has no palette.

    TIFF stores all 256 (or 65,536) entries; those that are black and belong to no class are the
    filling behind the last one that is not, and are left out.
    """
    if dataset.colorinterp[0] != ColorInterp.palette:
        return []
    entries = sorted(dataset.colormap(1).items())
    last = max((value for value, rgba in entries if any(rgba[:3])), default=0)
    return [PaletteEntry(value=value, rgba=rgba) for value, rgba in entries if value <= last]


def _projected_bounds(affine: Affine, height: int, width: int) -> tuple[float, float, float, float]:
    corners = [affine @ corner for corner in ((0, 0), (width, 0), (width, height), (0, height))]
    x, y = zip(*corners, strict=True)
    return min(x), min(y), max(x), max(y)


def _ground_sample_distance(dataset: DatasetReader) -> float | None:
    """Return the pixel size in metres, where the CRS is in metres."""
    if not dataset.crs.is_projected:
        return None
    _, metres_per_unit = dataset.crs.linear_units_factor
    affine = dataset.transform
    return float(metres_per_unit) * math.hypot(affine.a, affine.d)


def _bands(dataset: DatasetReader) -> tuple[list[BandDescription], bool]:
    computed = [_stored_statistics(dataset.tags(index)) for index in dataset.indexes]
    exact = all(statistics is not None for statistics in computed)
    if not exact:
        computed = _sampled_statistics(dataset)
    names = _names(dataset)
    return [
        _band(dataset, index, names[index - 1], statistics)
        for index, statistics in zip(dataset.indexes, computed, strict=True)
    ], exact


def _band(
    dataset: DatasetReader, index: int, name: str, statistics: BandStatistics | None
) -> BandDescription:
    place = index - 1
    meaning = dataset.colorinterp[place]
    is_alpha = meaning == ColorInterp.alpha
    scaled = dataset.scales[place] != 1 or dataset.offsets[place] != 0
    return BandDescription(
        name=name,
        description=dataset.descriptions[place] or None,
        data_type=dataset.dtypes[place],
        nodata=None if is_alpha else nodata_json(dataset.nodata),
        unit=dataset.units[place] or None,
        scale=dataset.scales[place] if scaled else None,
        offset=dataset.offsets[place] if scaled else None,
        statistics=None if is_alpha else statistics,
        colour_interpretation=meaning.name,
        common_name=_common_name(meaning, dataset.descriptions[place]),
    )


def _names(dataset: DatasetReader) -> list[str]:
    """Name bands by their description if that is one of its own, else by their number."""
    descriptions = [description or "" for description in dataset.descriptions]
    return [
        description if description and descriptions.count(description) == 1 else f"b{index}"
        for index, description in enumerate(descriptions, start=1)
    ]


def _common_name(meaning: ColorInterp, description: str | None) -> str | None:
    if meaning in _COMMON_NAMES:
        return _COMMON_NAMES[meaning]
    name = (description or "").strip().lower()
    return name if name in _NAMES_IN_DESCRIPTIONS else None


def _stored_statistics(tags: Mapping[str, str]) -> BandStatistics | None:
    """Return the statistics of every pixel that were computed when the COG was written."""
    if "STATISTICS_MEAN" not in tags or "STATISTICS_MINIMUM" not in tags:
        return None
    return BandStatistics(
        minimum=_finite(tags, "STATISTICS_MINIMUM"),
        maximum=_finite(tags, "STATISTICS_MAXIMUM"),
        mean=_finite(tags, "STATISTICS_MEAN"),
        stddev=_finite(tags, "STATISTICS_STDDEV"),
        valid_percent=_finite(tags, "STATISTICS_VALID_PERCENT"),
    )


def _finite(tags: Mapping[str, str], key: str) -> float | None:
    try:
        value = float(tags[key])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _sampled_statistics(dataset: DatasetReader) -> list[BandStatistics | None]:
    """Compute statistics from the smallest level that still has enough pixels."""
    pixels = read_level(Path(dataset.name), _STATISTICS_EDGE)
    return [_statistics_of(band) for band in pixels]


def read_level(path: Path, edge: int) -> Any:
    """Read the smallest level of a COG whose longer side has `edge` pixels or more, masked.

    Raises:
        TaskFailed: ``raster.cog_invalid``: the COG has no level small enough to be read whole.
    """
    with rasterio.open(path, driver="GTiff") as dataset:
        longer = max(dataset.height, dataset.width)
        levels = [level for level, factor in enumerate(dataset.overviews(1)) if longer / factor >= edge]
    options = {"OVERVIEW_LEVEL": levels[-1]} if levels else {"OVERVIEW_LEVEL": "NONE"}
    with rasterio.open(path, driver="GTiff", **options) as dataset:
        if max(dataset.height, dataset.width) > 4 * max(edge, 2048):
            raise TaskFailed(COG_INVALID, f"{path.name} has no overviews")
        return dataset.read(masked=True)


def _statistics_of(band: Any) -> BandStatistics:
    finite = np.isfinite(band.filled(0)) & ~np.ma.getmaskarray(band)
    values = np.asarray(band.data[finite], np.float64)
    if not values.size:
        return BandStatistics(valid_percent=0.0)
    return BandStatistics(
        minimum=float(values.min()),
        maximum=float(values.max()),
        mean=float(values.mean()),
        stddev=float(values.std()),
        valid_percent=round(100 * values.size / band.size, 2),
    )
