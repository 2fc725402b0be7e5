"""Chunks of rows on their way into a table: DELETE and binary COPY, by way of PostGIS where it must help."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from core import codes
from core.errors import TaskFailed
from core.models.tables import Chunk, Dropped, GeometryRules, Loaded, TableName
from infrastructure.copy_encoding import GEOMETRY, CopySource, FileShape
from infrastructure.database import Connection
from infrastructure.vector_relations import column_types, first_line, geometry_type, identifier, type_name

_FEATURE_ID = "source_fid"
_RAW: Final = TableName("pg_temp", "terrane_raw")
# What the server says of a value that it cannot take.
_REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.InternalError_,
    # Of a row that does not fit on a page. The driver counts it among the faults of the connection.
    psycopg.errors.ProgramLimitExceeded,
)

# Every row is prepared once; what is kept goes into the table, what is not is told of.
_FROM_RAW = sql.SQL("""
WITH prepared AS MATERIALIZED (
    SELECT raw.id, raw.source_fid, raw.geom AS wkb, p.geom, p.actions,
           CASE WHEN p.problem IS NOT NULL THEN 'unusable'
                WHEN ST_IsEmpty(p.geom) AND NOT %(keep_empty)s THEN 'empty' END AS reason,
           coalesce(p.problem, 'it has no point') AS problem
      FROM {raw} AS raw
      CROSS JOIN LATERAL app.prepare_geometry_v1(raw.geom, %(rules)s) AS p
), kept AS (
    INSERT INTO {table} (id, geom{columns})
    SELECT id, prepared.geom{values}
      FROM prepared JOIN {raw} AS raw USING (id)
     WHERE reason IS NULL
    RETURNING 1
), ranked AS (
    SELECT reason, source_fid, problem, row_number() OVER (PARTITION BY reason ORDER BY id) AS rank,
           count(*) OVER (PARTITION BY reason) AS rows
      FROM prepared WHERE reason IS NOT NULL
)
SELECT (SELECT count(*) FROM kept) AS rows,
       (SELECT coalesce(jsonb_object_agg(action, n), '{{}}') FROM (
            SELECT action, count(*) AS n FROM prepared, unnest(actions) AS action
             WHERE reason IS NULL GROUP BY action) AS counted) AS repaired,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('reason', reason, 'count', rows, 'message', message,
                                                     'feature_ids', fids)), '[]') FROM (
            SELECT reason, max(rows) AS rows, (array_agg(problem ORDER BY rank))[1] AS message,
                   jsonb_agg(source_fid ORDER BY rank) AS fids
              FROM ranked WHERE rank <= 10 GROUP BY reason) AS grouped) AS dropped
""")


class ChunkLoader:
    """Loads chunks into one table within the caller's transaction.

    Args:
        connection: In an open transaction.
        table: Where the rows go.
    """

    def __init__(self, connection: Connection, table: TableName) -> None:
        self._connection = connection
        self._table = table

    def load(self, chunk: Chunk) -> Loaded:
        """Put the rows of a chunk in the table, in the place of those of an earlier run.

        Raises:
            TaskFailed: ``table.row_refused`` or ``table.chunk_differs``.
            NotFound: The table is not there.
        """
        shape = FileShape.of(chunk.path)
        if shape.rows != chunk.rows:
            raise TaskFailed(
                codes.TABLE_CHUNK_DIFFERS,
                f"{chunk.path.name} has {shape.rows} rows where {chunk.rows} were prepared.",
            )
        there = column_types(self._connection, self._table)
        types = {name: kind for name, kind in there.items() if name not in ("id", GEOMETRY)}
        replaced = self._delete(chunk)
        with self._refused(chunk):
            if chunk.rules is None and not shape.as_text:
                return Loaded(self._copy(chunk, types), replaced)
            row = self._by_way_of_raw(chunk, types, shape.as_text)
        dropped = [Dropped(**entry) for entry in row["dropped"]]
        return Loaded(row["rows"], replaced, row["repaired"], dropped)

    def _delete(self, chunk: Chunk) -> int:
        statement = sql.SQL("DELETE FROM {} WHERE id BETWEEN %s AND %s").format(identifier(self._table))
        return self._connection.execute(statement, [chunk.first_id, chunk.first_id + chunk.rows - 1]).rowcount

    def _copy(self, chunk: Chunk, types: Mapping[str, str]) -> int:
        source = CopySource(chunk.path, [GEOMETRY, *types], types, chunk.first_id, chunk.conform)
        return self._send(self._table, source)

    def _by_way_of_raw(self, chunk: Chunk, types: Mapping[str, str], as_text: frozenset[str]) -> DictRow:
        raw = {name: "text" if name in as_text else kind for name, kind in types.items()}
        columns = {"id": "bigint", _FEATURE_ID: "bigint", GEOMETRY: "bytea", **raw}
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(identifier(_RAW)))
        self._connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(
                sql.Identifier(_RAW.name), _joined("{} {}", columns)
            )
        )
        self._send(_RAW, CopySource(chunk.path, [GEOMETRY, _FEATURE_ID, *raw], raw, chunk.first_id))
        rules = chunk.rules or self._as_they_are()
        statement = _FROM_RAW.format(
            raw=identifier(_RAW),
            table=identifier(self._table),
            columns=_joined(", {}", dict.fromkeys(types, "")),
            values=_joined(", raw.{}::{}", types),
        )
        parameters = {"rules": Jsonb(asdict(rules)), "keep_empty": rules.keep_empty}
        row = self._connection.execute(statement, parameters).fetchone()
        assert row is not None  # noqa: S101 - an aggregate without GROUP BY has one row
        return row

    def _send(self, table: TableName, source: CopySource) -> int:
        columns = sql.SQL(", ").join(map(sql.Identifier, ["id", *source.columns]))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(identifier(table), columns)
        with self._connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for message in source.messages():
                    copy.write(message)
            return cursor.rowcount

    def _as_they_are(self) -> GeometryRules:
        kind, srid = geometry_type(column_types(self._connection, self._table))
        return GeometryRules(srid, None, srid, kind, keep_empty=True)

    @contextmanager
    def _refused(self, chunk: Chunk) -> Iterator[None]:
        try:
            yield
        except _REFUSED as error:
            context = (error.diag.context or "").partition("\n")[0]
            raise TaskFailed(
                codes.TABLE_ROW_REFUSED, f"{chunk.path.name}: {first_line(error)} ({context})."
            ) from error


def _joined(template: LiteralString, columns: Mapping[str, str]) -> sql.Composed:
    """Compose a list of columns; the template has a place for the name and perhaps one for the type."""
    separator = "" if template.startswith(",") else ", "
    parts = []
    for name, kind in columns.items():
        values = [sql.Identifier(name)] + ([type_name(kind)] if kind else [])
        parts.append(sql.SQL(template).format(*values))
    return sql.SQL(separator).join(parts)
