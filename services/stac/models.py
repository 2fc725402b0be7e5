"""What the builder of items is told: the terms of STAC, without its form."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from core.json import JsonObject

BBox = tuple[float, float, float, float]
NoData = int | float | Literal["nan", "inf", "-inf"] | None

#: Of SHA-256, in hex.
MULTIHASH = "^1220[0-9a-f]{64}$"
COG_MEDIA_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"


def _range_is_ordered(value: tuple[AwareDatetime, AwareDatetime]) -> tuple[AwareDatetime, AwareDatetime]:
    if value[0] > value[1]:
        raise ValueError(f"{value[0]} is after {value[1]}")
    return value


TimeRange = Annotated[tuple[AwareDatetime, AwareDatetime], AfterValidator(_range_is_ordered)]


class StacModel(BaseModel):
    """Frozen, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Statistics(StacModel):
    """Statistics of a band; values that are not finite are left out of the item."""

    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    stddev: float | None = None
    valid_percent: float | None = None


class PaletteClass(StacModel):
    """A value of a classified band.

    Args:
        name: Short name; made of the value if not given.
        colour: Red, green and blue, 0 to 255.
    """

    value: int
    name: str | None = None
    title: str | None = None
    colour: tuple[int, int, int] | None = None
    is_nodata: bool = False


class Band(StacModel):
    """A band, in the order of the file.

    Args:
        unit: Of the values after scale and offset.
        common_name: A name of the eo extension, e.g. ``red``.
        center_wavelength: In micrometres.
    """

    name: str
    description: str | None = None
    data_type: str
    nodata: NoData = None
    unit: str | None = None
    scale: float | None = None
    offset: float | None = None
    statistics: Statistics | None = None
    common_name: str | None = None
    center_wavelength: float | None = Field(default=None, gt=0)
    classes: tuple[PaletteClass, ...] = ()


class Projection(StacModel):
    """The grid of a raster.

    Args:
        code: ``EPSG:n`` or another authority's; None if there is none, then `wkt2` is needed.
        shape: Height, width in pixels.
        transform: Six or nine affine coefficients, row by row.
        bbox: West, south, east, north in the CRS.
    """

    code: str | None
    wkt2: str | None = None
    shape: tuple[int, int]
    transform: tuple[float, ...]
    bbox: BBox

    @model_validator(mode="after")
    def _has_a_crs(self) -> "Projection":
        if self.code is None and self.wkt2 is None:
            raise ValueError("a projection needs a code or WKT2")
        return self


class FileInfo(StacModel):
    """A file as it lies in the store.

    Args:
        href: Canonical address, never signed.
        checksum: Multihash in hex: ``1220`` and the SHA-256.
    """

    href: str
    nbytes: int | None = Field(default=None, ge=0)
    checksum: str | None = Field(default=None, pattern=MULTIHASH)


class RasterAsset(FileInfo):
    """A COG."""

    title: str | None = None
    description: str | None = None
    roles: tuple[str, ...] = ("data",)
    projection: Projection
    bands: tuple[Band, ...] = Field(min_length=1)
    gsd: float | None = Field(default=None, gt=0, description="Ground sample distance in metres.")


class SourceBlob(StacModel):
    """What was uploaded."""

    href: str
    last_modified: AwareDatetime
    media_type: str | None = None
    title: str | None = None
    nbytes: int | None = Field(default=None, ge=0)
    checksum: str | None = Field(default=None, pattern=MULTIHASH)


class Acquisition(StacModel):
    """When the data are of, by what they say themselves.

    Args:
        datetime: The moment; or else the range.
        source: Where that stands, e.g. ``TIFFTAG_DATETIME``.
    """

    datetime: AwareDatetime | None = None
    range: TimeRange | None = None
    source: str

    @model_validator(mode="after")
    def _has_a_time(self) -> "Acquisition":
        if self.datetime is None and self.range is None:
            raise ValueError("an acquisition needs a moment or a range")
        return self


class StepFile(StacModel):
    """What a step read or wrote: a file, or a table by its ``postgis://`` address."""

    href: str = Field(min_length=1)
    checksum: str | None = Field(default=None, pattern=MULTIHASH)


class ProcessingStep(StacModel):
    """A step from the source to the item, for `stac:processing_history`.

    Args:
        name: The task's type, e.g. ``create_cog``.
        inputs: What was read.
        outputs: What was written.
        software: Versions by name, if other than the item's.
        parameters: What decided the result.
    """

    name: str = Field(min_length=1)
    description: str | None = None
    job_id: str | None = None
    task_id: str | None = None
    inputs: tuple[StepFile, ...] = ()
    outputs: tuple[StepFile, ...] = ()
    software: dict[str, str] = {}
    parameters: JsonObject = {}
    completed_at: AwareDatetime | None = None


class Provenance(StacModel):
    """Which job made the item, and with what.

    Args:
        software: Versions by name, e.g. ``{"GDAL": "3.10.3"}``.
        processed_at: When the data asset was finished.
    """

    job_id: str
    job_type: str
    software: dict[str, str]
    processed_at: AwareDatetime
    lineage: str | None = None
    history: tuple[ProcessingStep, ...] = ()


class RasterItem(StacModel):
    """Everything that an item of a published raster says.

    Args:
        item_id: None for one made of `blob_name`.
        blob_name: Path of the data asset in its container.
        geometry: GeoJSON in EPSG:4326, a MultiPolygon where it crosses the antimeridian.
        bbox: West, south, east, north in degrees; west > east across the antimeridian.
        assets: COGs by key; `data` comes first.
        renders: Of the render extension, by name.
        properties: Further properties, e.g. ``platform`` or ``view:sun_elevation``.
    """

    collection_id: str
    item_id: str | None = None
    blob_name: str
    title: str | None = None
    description: str | None = None
    geometry: JsonObject
    bbox: BBox
    assets: dict[str, RasterAsset] = Field(min_length=1)
    thumbnail: FileInfo | None = None
    source: SourceBlob
    acquired: Acquisition | None = None
    provenance: Provenance
    renders: dict[str, JsonObject] = {}
    properties: dict[str, Any] = {}


class TableColumn(StacModel):
    """A column of a table.

    Args:
        type: As PostgreSQL names it.
        description: What it was called in the source.
    """

    name: str
    type: str
    description: str | None = None


class VectorItem(StacModel):
    """Everything that an item of a published table says.

    Args:
        table: ``{schema}.{table}``.
        geometry: GeoJSON in EPSG:4326 that covers every row.
        bbox: West, south, east, north in degrees; west > east across the antimeridian.
        proj_code: CRS of the table, ``EPSG:n``.
        proj_bbox: Bounds of the table in it.
        columns: All of them, the geometry too.
        properties: Further properties.
    """

    collection_id: str
    item_id: str
    table: str
    title: str | None = None
    description: str | None = None
    geometry: JsonObject
    bbox: BBox
    proj_code: str
    proj_bbox: BBox | None = None
    geometry_column: str = "geom"
    columns: tuple[TableColumn, ...]
    rows: int = Field(ge=0)
    thumbnail: FileInfo | None = None
    source: SourceBlob
    acquired: Acquisition | None = None
    provenance: Provenance
    properties: dict[str, Any] = {}
