"""Schemas and tables of the app database, as operators look at them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from core.json import JsonObject
from infrastructure.database import Database
from infrastructure.read_only import ReadOnly
from infrastructure.sql import load

_QUERIES = load("tables")

#: What a sample shows of a table at most.
MOST_SAMPLED_COLUMNS = 50
MOST_SAMPLED_CHARACTERS = 200
# Longer values are not even read: one of them may be a gigabyte.
_MOST_SAMPLED_BYTES = 64 * 1024

_SECRET = re.compile(r"passw|secret|token|credential|api_?key|connection_?string|sas_?url", re.IGNORECASE)
_PLAIN_TYPES = frozenset({"bool", "int2", "int4", "int8", "float4", "float8"})
_SPATIAL_TYPES = frozenset({"geometry", "geography"})


@dataclass(frozen=True)
class Sample:
    """A few rows of a table.

    Args:
        columns: The columns that are shown, in order.
        left_out: How many more there are.
        rows: By name of the column; values longer than `MOST_SAMPLED_CHARACTERS` are cut.
    """

    columns: Sequence[str]
    left_out: int
    rows: Sequence[JsonObject]


class PostgresTables:
    """Answers about schemas and tables. Names are checked against the catalogue before they are used.

    Args:
        database: The app database.
    """

    def __init__(self, database: Database) -> None:
        self._read = ReadOnly(database)

    def schemas(self, limit: int, after: str = "", name: str | None = None) -> list[JsonObject]:
        """Return the schemas that the app's role may use, by name; all, or the one that is named."""
        return self._read.rows(_QUERIES["schemas"], {"limit": limit, "after": after, "name": name})

    def tables(self, schema: str, limit: int, after: str = "") -> list[JsonObject]:
        """Return a schema's tables and views, by name."""
        return self._read.rows(_QUERIES["tables"], {"schema": schema, "limit": limit, "after": after})

    def table(self, schema: str, name: str) -> JsonObject | None:
        """Return a table with its sizes and statistics, or None if there is none that may be looked at."""
        return self._read.row(_QUERIES["table"], {"schema": schema, "name": name})

    def columns(self, schema: str, name: str) -> list[JsonObject]:
        """Return a table's columns in order."""
        return self._read.rows(_QUERIES["columns"], {"schema": schema, "name": name})

    def indexes(self, schema: str, name: str) -> list[JsonObject]:
        """Return a table's indexes by name."""
        return self._read.rows(_QUERIES["indexes"], {"schema": schema, "name": name})

    def sample(self, schema: str, name: str, limit: int) -> Sample:
        """Return some rows of a table that `table` has found."""
        columns = self.columns(schema, name)
        shown = columns[:MOST_SAMPLED_COLUMNS]
        selected = [_selected(column, number) for number, column in enumerate(shown)]
        query = sql.SQL("SELECT {columns} FROM {table} LIMIT {limit}").format(
            columns=sql.SQL(", ").join(selected),
            table=sql.Identifier(schema, name),
            limit=sql.Literal(limit),
        )
        # Numbered in the answer, so that a column's name is nothing but a value on its way back.
        rows = self._read.rows(query) if shown else []
        names = [column["name"] for column in shown]
        return Sample(names, len(columns) - len(shown), [_named(row, names) for row in rows])


def _selected(column: dict[str, Any], number: int) -> sql.Composed:
    name, alias = sql.Identifier(column["name"]), sql.Identifier(f"c{number}")
    if _SECRET.search(column["name"]):
        return sql.SQL("'(hidden)' AS {}").format(alias)
    if column["type_name"] in _PLAIN_TYPES:
        return sql.SQL("{} AS {}").format(name, alias)
    text = sql.SQL("{}::text").format(name)
    if column["type_name"] in _SPATIAL_TYPES:
        text = sql.SQL("{}({})").format(sql.Identifier(column["type_schema"], "st_asewkt"), name)
    return sql.SQL(
        "CASE WHEN pg_column_size({name}) > {most} THEN '(' || pg_column_size({name}) || ' bytes)' "
        "ELSE left({text}, {characters}) END AS {alias}"
    ).format(
        name=name,
        most=sql.Literal(_MOST_SAMPLED_BYTES),
        text=text,
        characters=sql.Literal(MOST_SAMPLED_CHARACTERS),
        alias=alias,
    )


def _named(row: JsonObject, names: Sequence[str]) -> JsonObject:
    return {name: row[f"c{number}"] for number, name in enumerate(names)}
