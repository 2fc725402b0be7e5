"""For operators: schemas and tables of the app database."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, Field, TypeAdapter

from core.errors import Conflict, NotFound
from core.json import JsonObject
from infrastructure.read_only import Refused
from triggers.bootstrap import app
from triggers.http import codes
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.paging import PageQuery, page, start
from triggers.http.requests import Call, Query
from triggers.http.schemas import Page
from triggers.http.table_schemas import (
    Column,
    Columns,
    Index,
    Indexes,
    SchemaInList,
    Table,
    TableInList,
    TableSample,
)

M = TypeVar("M", bound=BaseModel)

resource = Resource("Tables", "For operators: schemas and tables of the app database, read-only.")

_NAME: TypeAdapter[str] = TypeAdapter(str)
_NOT_FOUND = (HTTPStatus.NOT_FOUND,)


@resource.route(
    "GET", "dbadmin/schemas", Contract(query=PageQuery, answers={HTTPStatus.OK: Page[SchemaInList]})
)
def list_schemas(call: Call[PageQuery]) -> Reply:
    """List the schemas that the app's role may use, by name, with their sizes."""
    rows = app().tables.schemas(call.query.limit + 1, start(call.query, _NAME) or "")
    return Reply(page(call, rows, SchemaInList.model_validate, lambda row: row["name"]))


@resource.route(
    "GET",
    "dbadmin/schemas/{schema}/tables",
    Contract(query=PageQuery, answers={HTTPStatus.OK: Page[TableInList]}, problems=_NOT_FOUND),
)
def list_tables(call: Call[PageQuery]) -> Reply:
    """List a schema's tables and views, by name."""
    schema = call.http.route_params["schema"]
    if not _is_name(schema) or not app().tables.schemas(1, name=schema):
        raise NotFound(codes.SCHEMA_UNKNOWN, f"There is no schema {schema[:100]!r} that may be looked at.")
    rows = app().tables.tables(schema, call.query.limit + 1, start(call.query, _NAME) or "")
    return Reply(page(call, rows, TableInList.model_validate, lambda row: row["name"]))


@resource.route(
    "GET",
    "dbadmin/tables/{table}",
    Contract(query=Query, answers={HTTPStatus.OK: Table}, problems=_NOT_FOUND),
)
def get_table(call: Call[Query]) -> Reply:
    """Return a table, named `schema.table`, with its sizes and statistics."""
    return Reply(Table.model_validate(_table(call)))


@resource.route(
    "GET",
    "dbadmin/tables/{table}/columns",
    Contract(query=Query, answers={HTTPStatus.OK: Columns}, problems=_NOT_FOUND),
)
def list_columns(call: Call[Query]) -> Reply:
    """List a table's columns in order."""
    table = _table(call)
    return Reply(Columns(items=_all(Column, app().tables.columns(table["schema"], table["name"]))))


@resource.route(
    "GET",
    "dbadmin/tables/{table}/indexes",
    Contract(query=Query, answers={HTTPStatus.OK: Indexes}, problems=_NOT_FOUND),
)
def list_indexes(call: Call[Query]) -> Reply:
    """List a table's indexes by name."""
    table = _table(call)
    return Reply(Indexes(items=_all(Index, app().tables.indexes(table["schema"], table["name"]))))


class SampleQuery(Query):
    """How much of a table is shown."""

    limit: int = Field(default=10, ge=1, le=100, description="Most rows.")


@resource.route(
    "GET",
    "dbadmin/tables/{table}/sample",
    Contract(
        query=SampleQuery,
        answers={HTTPStatus.OK: TableSample},
        problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
)
def sample_table(call: Call[SampleQuery]) -> Reply:
    """Return some rows of a table: at most 50 columns, and 200 characters of a value.

    Columns whose names tell of a secret are hidden.
    """
    table = _table(call)
    name = f"{table['schema']}.{table['name']}"
    if not table["readable"]:
        raise Conflict(codes.TABLE_UNREADABLE, f"The app's role may not read {name}.")
    try:
        sample = app().tables.sample(table["schema"], table["name"], call.query.limit)
    except Refused as error:
        raise Conflict(codes.TABLE_UNREADABLE, f"{name}: {error}") from error
    shown = asdict(sample)
    return Reply(TableSample(columns=shown["columns"], columns_left_out=sample.left_out, items=shown["rows"]))


def _table(call: Call[Any]) -> JsonObject:
    given: str = call.http.route_params["table"]
    schema, _, name = given.partition(".")
    found: JsonObject | None = None
    if _is_name(schema) and _is_name(name):
        found = app().tables.table(schema, name)
    if found is None:
        raise NotFound(codes.TABLE_UNKNOWN, f"There is no table {given[:150]!r} that may be looked at.")
    return found


def _is_name(text: str) -> bool:
    # No name has a NUL in it, and the database refuses a question that does.
    return bool(text) and "\x00" not in text


def _all(model: type[M], rows: list[JsonObject]) -> list[M]:
    return [model.model_validate(row) for row in rows]
