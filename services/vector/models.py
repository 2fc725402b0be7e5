"""What crosses the pipe between a vector handler and the isolated child; imports no GDAL."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.json import JsonObject
from core.vector_options import ConverterOptions, FileExtension, GeometryOptions
from services.findings import Finding

Bounds = tuple[float, float, float, float]
Driver = Literal[
    "CSV",
    "ESRI Shapefile",
    "FlatGeobuf",
    "GPKG",
    "GPX",
    "GeoJSON",
    "GeoJSONSeq",
    "LIBKML",
    "MapInfo File",
    "OpenFileGDB",
    "Parquet",
    "TopoJSON",
]
CrsSource = Literal["file", "confirmed", "input_crs", "format", "srid"]
# Each has one Arrow type in chunks; jsonb travels as the text of its JSON.
ColumnType = Literal[
    "smallint",  # int16
    "integer",  # int32
    "bigint",  # int64
    "numeric",  # decimal128 or decimal256
    "real",  # float32
    "double precision",  # float64
    "boolean",  # bool
    "text",  # string
    "date",  # date32
    "time",  # time64[us]
    "timestamp",  # timestamp[us]
    "timestamptz",  # timestamp[us, UTC]
    "jsonb",  # string
    "bytea",  # binary
    "bigint[]",  # list<int64>
    "double precision[]",  # list<float64>
    "boolean[]",  # list<bool>
    "text[]",  # list<string>
]

#: File in which the child says early what `VectorOutline` has.
OUTLINE = "chunk_outline.json"
#: Key of `ChunkFooter` among the metadata of a chunk's file.
FOOTER_KEY = b"terrane"
#: Columns of every chunk, which no attribute may be called.
GEOMETRY_COLUMN = "geom"
FEATURE_ID_COLUMN = "source_fid"


class Model(BaseModel):
    """Frozen, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IndexColumns(Model):
    """Columns, by either name, that are to have an index.

    Args:
        attributes: Those with a B-tree.
        temporal: Those of time, with a BRIN; their extent is wanted as well.
    """

    attributes: list[str] = []
    temporal: list[str] = []


class PrepareVector(Model):
    """Which file to read, and into what.

    Args:
        path: File in the workspace, under its own base name.
        file_extension: Format that the caller says the file has; lower case, no dot.
        layer: Name of a layer, ``*`` for all of them, None for the only one that has features.
        input_crs: CRS of a file that names none.
        target_crs: CRS of the prepared geometries; it has an EPSG code.
        chunk_size: Rows a chunk; None for as many as make a chunk of some ten megabytes.
        dimensions: ``2d`` leaves Z and M out.
        indexes: Columns that the file must have.
        compression: Of the chunks: those that stay on this machine should be quick to read, those
            that travel small.
    """

    path: str
    file_extension: FileExtension
    layer: str | None = None
    input_crs: str | None = None
    target_crs: str = "EPSG:4326"
    chunk_size: int | None = Field(default=None, ge=100, le=500_000)
    dimensions: Literal["keep", "2d"] = "keep"
    converter: ConverterOptions = ConverterOptions()
    geometry: GeometryOptions = GeometryOptions()
    indexes: IndexColumns = IndexColumns()
    compression: Literal["zstd", "none"] = "zstd"


class ColumnDescription(Model):
    """A column of the table.

    Args:
        name: Sanitised; unique among the columns, and none of the table's own.
        source_name: As the file has it.
        precision: Digits of a ``numeric``.
        scale: Digits of a ``numeric`` after the point.
        note: What happened to its values, if they are not as they were.
    """

    name: str
    source_name: str
    type: ColumnType
    precision: int | None = None
    scale: int | None = None
    note: str | None = None


class VectorOutline(Model):
    """What is known of a table before its first row is prepared."""

    columns: list[ColumnDescription]
    target_srid: int


class ChunkFooter(Model):
    """What a chunk says of itself, for those who load it before the last row is known.

    Args:
        geometry_type: The tightest modifier for all rows of this chunk and those before it, and
            perhaps a few more.
        sql_path: As `ChunkFile` has it.
    """

    geometry_type: str
    sql_path: bool


class ChunkFile(Model):
    """A Parquet file in the workspace, complete as soon as it is there under this name.

    Its columns are ``geom`` (binary: little-endian ISO WKB, or null), ``source_fid`` (int64) and
    the attributes under their sanitised names. Geometries are single or multi, with Z or without, as
    the rows have them, for only the last row tells the table's type: `services.vector.wkb.conform`
    makes those of the fast path fit it.

    Args:
        name: ``chunk_00000.parquet`` and so on.
        sql_path: Whether geometries are as the source has them, for PostGIS to linearise, repair,
            reproject and round, because they have M, curves, triangles or polyhedral surfaces.
        source_srid: Of geometries that PostGIS has to reproject; None where the source CRS has no
            EPSG code, and then `source_crs` is to be used.
        source_crs: The same as text that PROJ and ``ST_Transform(geometry, text, integer)`` take.
    """

    name: str
    rows: int
    nbytes: int
    sql_path: bool = False
    source_srid: int | None = None
    source_crs: str | None = None


class Dropped(Model):
    """Rows that were read and not prepared, for one reason.

    Args:
        code: A code of `services.vector.codes`.
        feature_ids: The first ten: OGR's, numbers of data rows from 1 for CSV and GeoParquet, and
            numbers of lines from 1 for lines of GeoJSON that are no JSON.
    """

    code: str
    message: str
    count: int
    feature_ids: list[int]


class LayerSummary(Model):
    """A layer of the file; `rows` is None where counting would mean reading."""

    name: str
    geometry_type: str
    rows: int | None


class TemporalExtent(Model):
    """Earliest and latest value of a column, as ISO 8601 without a zone where the source has none."""

    column: str
    start: str
    end: str


class PreparedVector(Model):
    """A vector file as chunks that can be loaded, and everything that reading it found out.

    Args:
        layers: Layers that were read, in order.
        source_crs: ``EPSG:n`` or another authority's code, else WKT 2.
        geometry_type: The tightest modifier that PostGIS has for all rows, SQL path included: a
            name such as ``MultiPolygon``, ``PointZ``, ``MultiLineStringZM`` or ``Geometry``.
        bbox: West, south, east, north in degrees; west > east across the antimeridian.
        footprint: GeoJSON in EPSG:4326 that covers every geometry.
        repaired: How many rows were changed, by what was done to them.
        seconds: Time by phase.
        checksum: SHA-256 of the file as a multihash in hex (``1220`` and the digest).
    """

    driver: Driver
    layers: list[LayerSummary]
    source_crs: str
    crs_source: CrsSource
    target_srid: int
    columns: list[ColumnDescription]
    geometry_type: str
    bbox: Bounds | None
    footprint: JsonObject | None
    rows_read: int
    rows_prepared: int
    repaired: dict[str, int]
    dropped: list[Dropped]
    findings: list[Finding]
    chunks: list[ChunkFile]
    temporal: list[TemporalExtent]
    nbytes: int
    checksum: str
    seconds: dict[str, float]
