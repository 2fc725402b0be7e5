"""What crosses the pipe between a raster handler and the isolated child; imports no GDAL."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.json import JsonObject
from services.findings import Finding
from services.raster.tiers import OutputTier, RasterType, RequestedType, Resampling

Bounds = tuple[float, float, float, float]
Affine6 = tuple[float, float, float, float, float, float]
# JSON has no NaN, so the three values that it lacks are written as STAC writes them.
NoData = int | float | Literal["nan", "inf", "-inf"] | None
Validity = Literal["nodata", "nan", "alpha", "mask", "none"]
Georeferencing = Literal["affine", "rotated", "flipped", "gcps", "rpcs"]


class Model(BaseModel):
    """Frozen, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def nodata_json(value: float | None) -> NoData:
    """Return a nodata value as JSON can hold it."""
    if value is None or math.isfinite(value):
        return value
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"


class InspectRaster(Model):
    """What to look at, and what the caller says of it.

    Args:
        path: File in the workspace, under its own base name (SRTM tiles are placed by theirs).
        sidecars: Files beside it in the workspace.
        nodata: Declares nodata where the file does not, or other than it does.
        rpc_height: Height above the ellipsoid in metres at which rational polynomials are used;
            None for the mean height that they carry.
    """

    path: str
    sidecars: list[str] = []
    input_crs: str | None = None
    raster_type: RequestedType = "auto"
    strict_mode: bool = False
    output_tier: OutputTier | Literal["all"] = "analysis"
    target_crs: str = "EPSG:4326"
    resolution: float | None = Field(default=None, gt=0)
    nodata: float | None = None
    rpc_height: float | None = None


class DetectedType(Model):
    """What a raster shows, how sure that is, and why."""

    raster_type: RasterType
    confidence: Literal["very_high", "high", "medium", "low"]
    evidence: list[str]


class BandOverview(Model):
    """A band as a decimated look over the whole extent shows it, nodata masked."""

    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    stddev: float | None = None
    valid_percent: float = 0.0
    distinct: int | None = Field(default=None, description="Distinct values; None for 256 or more.")


class AcquisitionTime(Model):
    """When the data were taken, as a tag of the file says it.

    Args:
        datetime: RFC 3339; a time without a zone is taken as UTC.
        source: The tag.
        assumed_utc: Whether the tag carried no zone.
    """

    datetime: str
    source: str
    assumed_utc: bool = True


class PaletteEntry(Model):
    """A value and its colour."""

    value: int
    rgba: tuple[int, int, int, int]


class OutputEstimate(Model):
    """What the COG will be, before it is written.

    Args:
        nbytes: Uncompressed size of its full-resolution pixels.
        required_disk_bytes: What must be free in the workspace besides the source.
        reprojected: Whether pixels will be resampled.
    """

    height: int
    width: int
    nbytes: int
    required_disk_bytes: int
    reprojected: bool


class RasterReport(Model):
    """Everything that inspection found out about a raster that can be published.

    Args:
        crs: ``EPSG:n`` (or another authority's code) where there is one, else WKT 2.
        transform: Affine coefficients a, b, c, d, e, f; None for GCPs and RPCs.
        bounds: West, south, east, north in the CRS; of the corners where the grid is rotated.
        unused_value: An integer that no pixel of any band has, outside their range if possible;
            None if there is none or validity is declared.
        is_cog: Whether the file already is the COG asked for, so that it can be copied as it is.
    """

    driver: str
    nbytes: int
    crs: str
    crs_source: Literal["file", "confirmed", "input_crs", "sidecar", "gcps", "rpcs"]
    band_count: int
    height: int
    width: int
    dtype: str
    bounds: Bounds
    transform: Affine6 | None
    pixel_size: tuple[float, float]
    georeferencing: Georeferencing
    gcp_count: int = 0
    nodata: NoData
    validity: Validity
    unused_value: int | None = None
    colour_interpretation: list[str]
    palette: list[PaletteEntry] = []
    scales: list[float]
    offsets: list[float]
    units: list[str | None]
    descriptions: list[str | None]
    detected: DetectedType
    raster_type: RasterType
    statistics: list[BandOverview]
    tiers: list[OutputTier]
    output: OutputEstimate
    compression: str | None
    tags: dict[str, str]
    acquired: AcquisitionTime | None
    is_cog: bool
    findings: list[Finding]


class WriteCog(Model):
    """What to write.

    Args:
        path: Source in the workspace, with its sidecars.
        output: Name of the COG in the workspace.
        raster_type: What the report says; decides the resampling.
        unused_value: What the report says; becomes nodata where a warp needs one.
        threads: Threads of GDAL; None for as many as the child's environment says.
    """

    path: str
    sidecars: list[str] = []
    output: str = "cog.tif"
    tier: OutputTier = "analysis"
    raster_type: RasterType = "unknown"
    input_crs: str | None = None
    target_crs: str = "EPSG:4326"
    resolution: float | None = Field(default=None, gt=0)
    nodata: float | None = None
    unused_value: int | None = None
    rpc_height: float | None = None
    jpeg_quality: int = Field(default=85, ge=1, le=100)
    warp_resampling: Resampling | None = None
    overview_resampling: Resampling | None = None
    threads: int | None = Field(default=None, ge=1)


class CogWritten(Model):
    """A COG that passed validation and was read back.

    Args:
        checksum: Multihash in hex: ``1220`` and the SHA-256.
        overviews: Decimation factors.
        alpha_added: Whether the last band is an alpha band that the source does not have.
    """

    path: str
    nbytes: int
    checksum: str
    tier: OutputTier
    band_count: int
    height: int
    width: int
    dtype: str
    crs: str
    bounds: Bounds
    transform: Affine6
    nodata: NoData
    validity: Validity
    alpha_added: bool
    overviews: list[int]
    compression: str
    predictor: str | None
    block_size: int
    reprojected: bool
    warp_resampling: Resampling | None
    overview_resampling: Resampling
    findings: list[Finding]


class DescribeCog(Model):
    """Which COG to describe.

    Args:
        checksum: What `CogWritten` said; computed if it is not given.
    """

    path: str
    checksum: str | None = None


class BandStatistics(Model):
    """STAC's statistics of a band; finite numbers only."""

    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    stddev: float | None = None
    valid_percent: float | None = None


class BandDescription(Model):
    """A band in the terms of STAC 1.1 `bands` with raster and eo fields."""

    name: str
    description: str | None
    data_type: str
    nodata: NoData
    unit: str | None
    scale: float | None
    offset: float | None
    statistics: BandStatistics | None
    colour_interpretation: str
    common_name: str | None


class CogDescription(Model):
    """A COG in the terms of a STAC item.

    Args:
        geometry: GeoJSON in EPSG:4326, a MultiPolygon where it crosses the antimeridian.
        bbox: West, south, east, north in degrees; west > east across the antimeridian.
        proj_code: ``EPSG:n``, or None, and then `proj_wkt2` is set.
        proj_shape: Height, width.
        proj_transform: Nine coefficients, row by row.
        statistics_exact: Whether statistics are of every pixel, or of an overview.
        software: Versions of what wrote the COG, or recognized it, by name.
    """

    geometry: JsonObject
    bbox: Bounds
    proj_code: str | None
    proj_wkt2: str | None
    proj_shape: tuple[int, int]
    proj_transform: list[float]
    proj_bbox: Bounds
    bands: list[BandDescription]
    statistics_exact: bool
    palette: list[PaletteEntry]
    gsd: float | None
    acquired: AcquisitionTime | None
    nbytes: int
    checksum: str
    software: dict[str, str]


class WriteThumbnail(Model):
    """Which COG to draw, and as what."""

    path: str
    output: str = "thumbnail.png"
    raster_type: RasterType = "unknown"
    size: int = Field(default=512, ge=16, le=512)


class ThumbnailWritten(Model):
    """A PNG with transparent nodata."""

    path: str
    nbytes: int
    checksum: str
    height: int
    width: int
