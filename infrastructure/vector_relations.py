"""Tables and what hangs on them, as the catalogues of PostgreSQL have it."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from core import codes
from core.errors import Conflict, NotFound
from core.models.tables import Dependent, DependentKind, TableName
from infrastructure.database import Connection
from infrastructure.sql import load

_QUERIES = load("vectors")
_DEPENDENT_KINDS: dict[str, DependentKind] = {"v": "view", "m": "materialized view"}
_GEOMETRY_TYPE = re.compile(r"geometry\((?P<type>\w+),(?P<srid>\d+)\)")
_TYPE = re.compile(r"[A-Za-z]+( [a-z]+){0,3}(\([0-9]+(,[0-9]+)?\))?(\[\])?")


def identifier(table: TableName) -> sql.Identifier:
    """Return a table's name for a statement."""
    return sql.Identifier(table.schema, table.name)


def type_name(name: str) -> sql.SQL:
    """Return the name of a type, which may have two words and modifiers and so is no identifier.

    Raises:
        ValueError: It is something else: a bug.
    """
    if not _TYPE.fullmatch(name):
        raise ValueError(f"not the name of a type: {name!r}")
    return sql.SQL(name)


def find(connection: Connection, table: TableName) -> DictRow | None:
    """Return a relation of any kind: oid, relkind, owned, comment, nbytes, rows as last estimated."""
    parameters = {"schema": table.schema, "name": table.name}
    return connection.execute(_QUERIES["relation"], parameters).fetchone()


def column_types(connection: Connection, table: TableName) -> dict[str, str]:
    """Return the types of a table's columns by name, in order.

    Raises:
        NotFound: There is none.
    """
    there = find(connection, table)
    if there is None:
        raise missing(table)
    rows = connection.execute(_QUERIES["columns"], {"oid": there["oid"]}).fetchall()
    return {row["name"]: row["type"] for row in rows}


def geometry_type(types: Mapping[str, str]) -> tuple[str, int]:
    """Return the modifiers of the column ``geom``: a type such as ``MultiPolygonZ``, and the SRID."""
    found = _GEOMETRY_TYPE.fullmatch(types["geom"])
    assert found is not None  # noqa: S101 - the column is made with modifiers
    return found["type"], int(found["srid"])


def dependents(connection: Connection, table: TableName) -> Sequence[Dependent]:
    """Return what reads a table, nearest first."""
    there = find(connection, table)
    if there is None:
        return []
    rows = connection.execute(_QUERIES["dependents"], {"oid": there["oid"]}).fetchall()
    return [
        Dependent(TableName(row["schema"], row["name"]), _DEPENDENT_KINDS.get(row["relkind"], "table"))
        for row in rows
    ]


def count_rows(connection: Connection, table: TableName) -> int:
    """Count the rows of a table.

    Raises:
        NotFound: There is none.
    """
    with must_exist(table):
        statement = sql.SQL("SELECT count(*) AS rows FROM {}").format(identifier(table))
        row = connection.execute(statement).fetchone()
    return int(row["rows"]) if row else 0


def move(connection: Connection, table: TableName, to: TableName) -> None:
    """Rename a table into another schema; an interim name keeps clear of both schemas' tables."""
    interim = TableName(table.schema, f"moving_{hashlib.sha256(str(to).encode()).hexdigest()[:16]}")
    steps = (
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(identifier(table), sql.Identifier(interim.name)),
        sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(identifier(interim), sql.Identifier(to.schema)),
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(
            sql.Identifier(to.schema, interim.name), sql.Identifier(to.name)
        ),
    )
    for step in steps:
        connection.execute(step)


def check_ours(table: TableName, there: DictRow, kinds: str = "r") -> None:
    """Refuse what this role may not drop, and what is no ordinary table or none of other kinds.

    Raises:
        Conflict: ``table.foreign``.
    """
    if there["relkind"] not in kinds:
        raise Conflict(codes.TABLE_FOREIGN, f"{table} is no ordinary table.")
    if not there["owned"]:
        raise Conflict(codes.TABLE_FOREIGN, f"{table} belongs to another role of the database.")


def first_line(error: psycopg.Error) -> str:
    """Return what the server says, without its context."""
    return (error.diag.message_primary or str(error)).strip().splitlines()[0]


@contextmanager
def must_exist(table: TableName) -> Iterator[None]:
    """Say that a table is missing in the core's terms."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise missing(table) from error


def missing(table: TableName) -> NotFound:
    """Return the error for a table that is not there."""
    return NotFound(codes.TABLE_MISSING, f"There is no table {table}.")
