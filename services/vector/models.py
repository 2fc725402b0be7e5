"""What crosses the pipe between a vector handler and the isolated child; imports no GDAL."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.json import JsonObject
from services.findings import Finding

Bounds = tuple[float, float, float, float]
FileExtension = Literal[
    "csv",
    "fgb",
    "gdb",
    "geojson",
    "geojsonl",
    "gpkg",
    "gpx",
    "json",
    "kml",
    "kmz",
    "mif",
    "ndjson",
    "parquet",
    "shp",
    "tab",
    "topojson",
    "zip",
]
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

#: Columns of every chunk, which no attribute may be called.
GEOMETRY_COLUMN = "geom"
FEATURE_ID_COLUMN = "source_fid"


class Model(BaseModel):
    """Frozen, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ConverterOptions(Model):
    """What the caller says of the file; what is not given is found out.

    Args:
        lat_name: Column of latitudes, or northings, of a CSV file.
        lon_name: Column of longitudes, or eastings.
        wkt_column: Column of WKT, EWKT, WKB or EWKB in hex.
        encoding: Of text that does not name its own (CSV, shapefiles, MapInfo).
        decimal: Decimal mark of a CSV file.
        layer_name: Layer of a GeoPackage; the same as `PrepareVector.layer`.
        kml_name: File in a KMZ archive.
        shp_name: Shapefile in a ZIP archive, with or without its folder and ending.
        max_bad_rows_percent: Rows that cannot be read are dropped up to this share, then the
            file is refused.
    """

    lat_name: str | None = None
    lon_name: str | None = None
    wkt_column: str | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    layer_name: str | None = None
    kml_name: str | None = None
    shp_name: str | None = None
    max_bad_rows_percent: float = Field(default=10.0, ge=0, le=100)


class Simplify(Model):
    """Leave out vertices; the tolerance is in units of the target CRS."""

    tolerance: float = Field(default=0.001, gt=0)
    preserve_topology: bool = True


class Quantize(Model):
    """Round coordinates to a grid, in units of the target CRS, keeping geometries valid."""

    snap_to_grid: float = Field(default=0.0001, gt=0)


class GeometryOptions(Model):
    """What to do with geometries, in this order: linearise, repair, reproject, precision.

    Args:
        null: Keep or drop rows without a geometry.
        empty: Keep or drop rows whose geometry has no point.
        antimeridian: ``split`` cuts geometries that jump by more than 180 degrees of longitude at
            the antimeridian (geographic target only).
        curve_tolerance: Greatest distance between a curve and its chords, in units of the source
            CRS; None for 32 chords a quarter circle.
    """

    simplify: Simplify | None = None
    quantize: Quantize | None = None
    null: Literal["keep", "drop"] = "drop"
    empty: Literal["keep", "drop"] = "drop"
    antimeridian: Literal["keep", "split"] = "keep"
    curve_tolerance: float | None = Field(default=None, gt=0)


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
        temporal: Columns, by either name, whose extent is wanted; None for every one that holds
            dates or times.
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
    temporal: list[str] | None = None


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
        feature_ids: The first ten; numbers of data rows, counted from 1, for text formats.
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
