"""Rows of the engine's tables as JSON lines: written before a rebuild, read back after it."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from psycopg import sql

from infrastructure.database import Connection
from infrastructure.sql import load

_QUERIES = load("maintenance")
_BATCH = 500

#: What outlives a rebuild, each table after those that it refers to.
KEPT_TABLES: Sequence[str] = ("jobs", "stages", "stage_slots", "artifacts", "unpublished_jobs")


def write_archive(connection: Connection, path: Path) -> Counter[str]:
    """Write what outlives a rebuild as one JSON object a line; return the number of rows by table."""
    written: Counter[str] = Counter()
    with path.open("w", encoding="utf-8") as file:
        for table in KEPT_TABLES:
            if not table_exists(connection, f"app.{table}"):
                continue
            with connection.cursor(name=f"archive_{table}") as rows:
                rows.itersize = _BATCH
                rows.execute(_QUERIES[f"archive_{table}"])
                for row in rows:
                    file.write(f'{{"table":"{table}","row":{row["row"]}}}\n')
                    written[table] += 1
    return written


def read_archive(connection: Connection, path: Path) -> Counter[str]:
    """Insert the rows of an archive; return their number by table.

    The columns are those that the archive and the table both have, so that an archive of an older
    release can be read.
    """
    restored: Counter[str] = Counter()
    for table in KEPT_TABLES:
        if not table_exists(connection, f"app.{table}"):
            continue
        lines = _rows(path, table)
        while batch := list(islice(lines, _BATCH)):
            restored[table] += _insert(connection, table, batch)
        _go_on_numbering(connection, table)
    return restored


def table_exists(connection: Connection, table: str) -> bool:
    """Return whether there is a table of this name, given with its schema."""
    found = connection.execute(_QUERIES["exists"], {"table": table}).fetchone()
    return bool(found and found["found"])


def _rows(path: Path, table: str) -> Iterator[str]:
    head = f'{{"table":"{table}","row":'
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.startswith(head):
                yield line[len(head) : -2]


def _insert(connection: Connection, table: str, rows: Sequence[str]) -> int:
    given = json.loads(rows[0])
    columns = [column for column in _columns(connection, table) if column in given]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    target = sql.Identifier("app", table)
    statement = sql.SQL(
        "INSERT INTO {target} ({names}) OVERRIDING SYSTEM VALUE "
        "SELECT {names} FROM jsonb_populate_recordset(NULL::{target}, %s::jsonb)"
    )
    return connection.execute(statement.format(target=target, names=names), [f"[{','.join(rows)}]"]).rowcount


def _columns(connection: Connection, table: str) -> dict[str, bool]:
    found = connection.execute(_QUERIES["columns"], {"table": f"app.{table}"})
    return {row["name"]: row["is_numbered"] for row in found}


def _go_on_numbering(connection: Connection, table: str) -> None:
    for name, is_numbered in _columns(connection, table).items():
        if is_numbered:
            statement = sql.SQL(
                "SELECT setval(pg_get_serial_sequence(%s, %s), coalesce(max({column}), 0) + 1, false) "
                "FROM {table}"
            )
            connection.execute(
                statement.format(column=sql.Identifier(name), table=sql.Identifier("app", table)),
                [f"app.{table}", name],
            )
