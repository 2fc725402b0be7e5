"""What a caller may say of a vector file, for the job that is asked and the handlers that do it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

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


class Options(BaseModel):
    """Frozen, unknown fields refused, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ConverterOptions(Options):
    """How the file is to be read; what is not given is found out."""

    lat_name: str | None = Field(
        default=None, description="Column of latitudes, or northings, of a CSV file."
    )
    lon_name: str | None = Field(default=None, description="Column of longitudes, or eastings.")
    wkt_column: str | None = Field(default=None, description="Column of WKT, EWKT, or WKB in hex.")
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="Of a CSV file.")
    encoding: str | None = Field(default=None, max_length=40, description="Of text, e.g. utf-8 or cp1252.")
    decimal: Literal[".", ","] | None = Field(default=None, description="Decimal mark of a CSV file.")
    layer_name: str | None = Field(default=None, description="The same as `layer`.")
    kml_name: str | None = Field(default=None, description="KML file in a KMZ or ZIP archive.")
    shp_name: str | None = Field(default=None, description="Shapefile in a ZIP archive.")
    max_bad_rows_percent: float = Field(
        default=0.0,
        ge=0,
        le=100,
        strict=False,
        description="Rows that cannot be read are dropped up to this share; above it the file is refused.",
    )


class Simplify(Options):
    """Leave out vertices."""

    tolerance: float = Field(default=0.001, gt=0, strict=False, description="In units of the target CRS.")
    preserve_topology: bool = Field(default=True, description="Keep rings from crossing themselves.")


class Quantize(Options):
    """Round coordinates to a grid."""

    snap_to_grid: float = Field(default=0.0001, gt=0, strict=False, description="In units of the target CRS.")


class GeometryOptions(Options):
    """What is done to geometries."""

    simplify: Simplify | None = Field(default=None, description="Leave out vertices.")
    quantize: Quantize | None = Field(default=None, description="Round coordinates to a grid.")
    null: Literal["keep", "drop"] = Field(default="drop", description="Rows without a geometry.")
    empty: Literal["keep", "drop"] = Field(default="drop", description="Rows whose geometry has no point.")
    antimeridian: Literal["keep", "split"] = Field(
        default="keep", description="Whether geometries are cut where they cross 180 degrees."
    )
    curve_tolerance: float | None = Field(
        default=None,
        gt=0,
        strict=False,
        description="Greatest distance between a curve and its chords, in units of the source CRS.",
    )
