"""What a caller of ``process_vector`` may say of a file and of the table that it is to become."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from core.blob_names import normalised_blob_name
from core.crs_texts import can_be_crs
from core.errors import InvalidInput
from core.item_ids import ID_PATTERN
from core.sql_words import RESERVED_WORDS
from core.vector_options import ConverterOptions, FileExtension, GeometryOptions
from jobs.mixins import JobParameters
from jobs.process_raster import CONTAINER_PATTERN

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
# What PostgreSQL cuts names to without a word.
_LONGEST_NAME: Final = 63
_LONGEST_FILE_NAME: Final = 200
_MOST_INDEXES: Final = 32
# A ZIP archive may hold any of the other formats.
_FORMATS_OF: Final[Mapping[str, frozenset[str]]] = {
    "lat_name": frozenset({"csv", "zip"}),
    "lon_name": frozenset({"csv", "zip"}),
    "wkt_column": frozenset({"csv", "zip"}),
    "delimiter": frozenset({"csv", "zip"}),
    "decimal": frozenset({"csv", "zip"}),
    "kml_name": frozenset({"kmz", "zip"}),
    "shp_name": frozenset({"shp", "zip"}),
}


class IndexParameters(JobParameters):
    """Which indexes the table gets; columns by their name in the file or in the table."""

    spatial: bool = Field(default=True, description="GiST on the geometry.")
    attributes: tuple[str, ...] = Field(
        default=(), strict=False, max_length=_MOST_INDEXES, description="Columns with a B-tree."
    )
    temporal: tuple[str, ...] = Field(
        default=(),
        strict=False,
        max_length=_MOST_INDEXES,
        description="Columns of time with a BRIN; dates and timestamps give the item its time range.",
    )

    @field_validator("attributes", "temporal")
    @classmethod
    def _are_different(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a column is named twice")
        return value


class ProcessVectorParameters(JobParameters):
    """What a caller submits."""

    container_name: str = Field(
        default="bronze-vectors", pattern=CONTAINER_PATTERN, description="Container of the source."
    )
    blob_name: str = Field(description="Path of the source in it.", examples=["survey/parcels.gpkg"])
    file_extension: FileExtension = Field(
        description="Format of the file; Shapefiles, geodatabases and MapInfo tables come zipped.",
        examples=["gpkg"],
    )
    table_name: str = Field(
        description="Table to publish: lower-case letters, digits and underscores, at most 63.",
        examples=["parcels"],
    )
    schema_name: str = Field(
        default="geo", alias="schema", description="Schema of the table, one of VECTOR_SCHEMAS."
    )
    layer: str | None = Field(
        default=None,
        min_length=1,
        description="Layer to read, or * for all of them in one table; one that is alone needs no name.",
    )
    chunk_size: int | None = Field(
        default=None,
        ge=100,
        le=500_000,
        description="Rows of a chunk, a task each; without it rows are loaded while the file is read.",
    )
    dimensions: Literal["keep", "2d"] = Field(default="keep", description="Whether Z and M are kept.")
    input_crs: str | None = Field(
        default=None,
        max_length=4_000,
        description="CRS of a source that declares none; an error if it declares another.",
    )
    target_crs: str = Field(
        default="EPSG:4326", pattern=r"^EPSG:[0-9]{4,6}$", description="CRS of the table."
    )
    converter_params: ConverterOptions = Field(
        default=ConverterOptions(), description="How the file is read."
    )
    geometry_params: GeometryOptions = Field(
        default=GeometryOptions(), description="What is done to geometries."
    )
    indexes: IndexParameters = Field(default=IndexParameters(), description="Indexes of the table.")
    output_container: str = Field(
        default="silver-vectors", pattern=CONTAINER_PATTERN, description="Container of the thumbnail."
    )
    collection_id: str = Field(
        default="system-vectors", pattern=ID_PATTERN, description="STAC collection of the item."
    )
    item_id: str | None = Field(
        default=None, pattern=ID_PATTERN, description="Id of the STAC item; else postgis-{schema}-{table}."
    )
    if_exists: Literal["fail", "replace"] = Field(
        default="fail", description="What to do with a table of this name; it serves until it is replaced."
    )

    @field_validator("blob_name")
    @classmethod
    def _is_a_file_name(cls, value: str) -> str:
        try:
            name = PurePosixPath(normalised_blob_name(value)).name
        except InvalidInput as error:
            raise ValueError(error.message) from error
        if len(name.encode()) > _LONGEST_FILE_NAME:
            raise ValueError(f"the file's own name has more than {_LONGEST_FILE_NAME} bytes")
        return value

    @field_validator("file_extension", mode="before")
    @classmethod
    def _is_plain(cls, value: Any) -> Any:
        return value.lower().removeprefix(".") if isinstance(value, str) else value

    @field_validator("file_extension")
    @classmethod
    def _is_a_whole_data_set(cls, value: str, info: ValidationInfo) -> str:
        if value == "shp" and str(info.data.get("blob_name", "")).lower().endswith(".shp"):
            raise ValueError(
                "a .shp file alone is only a part of a Shapefile: "
                "put .shp, .shx, .dbf and .prj in one ZIP archive"
            )
        return value

    @field_validator("table_name", "schema_name")
    @classmethod
    def _is_a_plain_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(
                "use lower-case letters, digits and underscores, a letter or an underscore first"
            )
        if len(value) > _LONGEST_NAME:
            raise ValueError(
                f"it has {len(value)} characters, more than the {_LONGEST_NAME} that names may have"
            )
        if value in RESERVED_WORDS:
            raise ValueError(f"{value!r} is a reserved word of SQL: add something to it")
        if value.startswith("pg_"):
            raise ValueError("names that begin with pg_ are the database's own")
        return value

    @field_validator("input_crs")
    @classmethod
    def _can_be_a_crs(cls, value: str | None) -> str | None:
        if value is not None and not can_be_crs(value):
            raise ValueError("it is no code such as EPSG:32633, no WKT, PROJ string or PROJJSON")
        return value

    @field_validator("converter_params")
    @classmethod
    def _goes_with_the_format(cls, value: ConverterOptions, info: ValidationInfo) -> ConverterOptions:
        extension = info.data.get("file_extension")
        strange = [
            name
            for name, formats in _FORMATS_OF.items()
            if getattr(value, name) is not None and extension is not None and extension not in formats
        ]
        if strange:
            raise ValueError(f"{', '.join(strange)} does not go with file_extension {extension}")
        if (value.lat_name is None) != (value.lon_name is None):
            raise ValueError("lat_name and lon_name come together")
        if value.lat_name is not None and value.wkt_column is not None:
            raise ValueError("give lat_name and lon_name, or wkt_column, but not both")
        layer = info.data.get("layer")
        if None not in (layer, value.layer_name) and layer != value.layer_name:
            raise ValueError(f"layer_name {value.layer_name!r} is not the layer {layer!r}")
        return value

    @field_validator("output_container")
    @classmethod
    def _is_no_source(cls, value: str) -> str:
        if value.startswith("bronze"):
            raise ValueError(f"{value} holds sources; name a silver container")
        return value

    @property
    def location(self) -> str:
        """Return the table's name with its schema."""
        return f"{self.schema_name}.{self.table_name}"

    @property
    def thumbnail(self) -> str:
        """Return the thumbnail's blob name."""
        return f"{self.schema_name}/{self.table_name}_thumbnail.png"

    @property
    def stac_item_id(self) -> str:
        """Return the item's id."""
        return self.item_id or f"postgis-{self.schema_name}-{self.table_name}"
