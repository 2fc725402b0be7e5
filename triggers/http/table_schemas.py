"""What operators are answered of schemas and tables, as models: see `triggers.http.schemas`."""

from datetime import datetime

from pydantic import Field

from core.json import JsonObject
from triggers.http.schemas import Answer, Whole


class SchemaInList(Answer):
    """A schema of the app database."""

    name: str
    owner: str
    tables: int
    views: int
    nbytes: int


class TableInList(Answer):
    """A table or view."""

    schema_name: str = Field(validation_alias="schema", serialization_alias="schema")
    name: str
    kind: str
    estimated_rows: int | None = Field(description="As the statistics have it; null before the first ones.")
    nbytes: int


class Table(TableInList):
    """A table or view with its sizes and statistics."""

    owner: str
    comment: str | None
    readable: bool = Field(description="Whether the app's role may read its rows.")
    table_nbytes: int
    indexes_nbytes: int
    live_rows: int | None
    dead_rows: int | None
    sequential_scans: int | None
    index_scans: int | None
    last_vacuum: datetime | None
    last_autovacuum: datetime | None
    last_analyze: datetime | None
    last_autoanalyze: datetime | None


class Column(Answer):
    """A column of a table."""

    position: int
    name: str
    type: str
    nullable: bool
    default: str | None
    comment: str | None


class Columns(Whole):
    """A table's columns."""

    items: list[Column]


class Index(Answer):
    """An index of a table."""

    name: str
    definition: str
    method: str
    is_primary: bool
    is_unique: bool
    is_valid: bool
    nbytes: int
    scans: int


class Indexes(Whole):
    """A table's indexes."""

    items: list[Index]


class TableSample(Whole):
    """A few rows of a table."""

    columns: list[str]
    columns_left_out: int = Field(description="Columns behind the last one that is shown.")
    items: list[JsonObject] = Field(description="By column; long values are cut, secrets hidden.")
