"""Vector tables in PostGIS; identifiers are composed here and in the modules beside it, nowhere else."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import LiteralString

import psycopg
from psycopg import sql

from core import codes
from core.errors import Conflict, TaskFailed
from core.models.tables import (
    Chunk,
    Dependent,
    Extent,
    Indexes,
    Loaded,
    NewTable,
    TableColumn,
    TableDescription,
    TableName,
)
from infrastructure.database import Connection, Database
from infrastructure.sql import load
from infrastructure.vector_extent import extent
from infrastructure.vector_loading import ChunkLoader
from infrastructure.vector_making import make, revise
from infrastructure.vector_relations import (
    check_ours,
    count_rows,
    dependents,
    find,
    first_line,
    identifier,
    missing,
    move,
    must_exist,
)
from infrastructure.vector_swap import Swap

_QUERIES = load("vectors")
_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "S": "sequence",
    "c": "type",
    "i": "index",
    "I": "index",
}
# To index a large table, or to write it anew, takes longer than any other statement.
_WHOLE_TABLE_TIMEOUT = timedelta(hours=2)
_READ_TIMEOUT = timedelta(minutes=10)
# Who waits for a lock on a table keeps every later reader of it waiting.
_LOCK_TIMEOUT = "5s"
_FETCH = 500


class PostgisVectorStore:
    """`core.ports.vectors.VectorStore` on the app database; `within` writes.

    Args:
        database: The app database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def schema_exists(self, schema: str) -> bool:
        """Return whether there is such a schema in which this role may make tables."""
        row = self._database.fetch_one(_QUERIES["can_create_in"], {"schema": schema})
        return bool(row and row["allowed"])

    def describe(self, table: TableName) -> TableDescription | None:
        """Return a relation of any kind, or None."""
        with self._reading() as connection:
            row = find(connection, table)
            if row is None:
                return None
            columns = connection.execute(_QUERIES["columns"], {"oid": row["oid"]}).fetchall()
        return TableDescription(
            table=table,
            kind=_KINDS[row["relkind"]],
            owned=row["owned"],
            columns=[TableColumn(**column) for column in columns],
            comment=row["comment"],
            nbytes=row["nbytes"] or 0,
        )

    def list_tables(self, schema: str) -> Iterator[TableName]:
        """Yield the tables of a schema."""
        for row in self._database.fetch_all(_QUERIES["list_tables"], {"schema": schema}):
            yield TableName(schema, row["name"])

    def dependents(self, table: TableName) -> Sequence[Dependent]:
        """Return what reads a table, nearest first."""
        with self._reading() as connection:
            return dependents(connection, table)

    def count_rows(self, table: TableName) -> int:
        """Return how many rows a table has, by counting them."""
        with self._reading() as connection:
            return count_rows(connection, table)

    def extent(self, table: TableName) -> Extent | None:
        """Return where the rows lie."""
        with (
            self._database.transaction(timeout=_READ_TIMEOUT, read_only=True) as connection,
            must_exist(table),
        ):
            return extent(connection, identifier(table))

    def sample_geometries(self, table: TableName, limit: int, tolerance: float) -> Iterator[bytes]:
        """Yield about `limit` geometries through a cursor of the server."""
        with (
            self._database.transaction(timeout=_READ_TIMEOUT, read_only=True) as connection,
            must_exist(table),
        ):
            percent = min(100.0, 100.0 * limit / max(1.0, _estimated_rows(connection, table)))
            statement = sql.SQL(
                "SELECT ST_AsBinary(ST_Force2D(ST_Simplify(geom, %(tolerance)s, true))) AS wkb "
                "FROM {} TABLESAMPLE SYSTEM (%(percent)s) REPEATABLE (1) WHERE geom IS NOT NULL"
            ).format(identifier(table))
            with connection.cursor("sample_geometries", binary=True) as cursor:
                cursor.itersize = _FETCH
                cursor.execute(statement, {"tolerance": tolerance, "percent": percent})
                for row in cursor:
                    yield row["wkb"]

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._database.transaction(timeout=_READ_TIMEOUT, read_only=True)

    def within(self, connection: Connection) -> "PostgisVectorTransaction":
        """Return a writer whose changes come and go with the caller's open transaction."""
        return PostgisVectorTransaction(connection)


def _estimated_rows(connection: Connection, table: TableName) -> float:
    there = find(connection, table)
    # Known since the last ANALYZE, and -1 before the first.
    known = float(there["rows"]) if there else 0.0
    return known if known >= 0 else count_rows(connection, table)


class PostgisVectorTransaction:
    """`core.ports.vectors.VectorTransaction` on a transaction that the caller ends.

    Args:
        connection: A connection in an open transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, table: TableName, definition: NewTable) -> None:
        """Create an empty table with its primary key, which also keeps two loads of a chunk apart."""
        self.drop(table)
        make(self._connection, table, definition)

    def revise(self, table: TableName, definition: NewTable) -> None:
        """Widen the geometries' type, and set where ids of later rows begin."""
        with self._patiently():
            revise(self._connection, table, definition)

    def load(self, table: TableName, chunk: Chunk) -> Loaded:
        """Delete the rows of an earlier run, and COPY those of the file."""
        return ChunkLoader(self._connection, table).load(chunk)

    def index(self, table: TableName, indexes: Indexes) -> None:
        """Build what is asked for and ANALYZE."""
        wanted: list[tuple[str, LiteralString]] = [("geom", "gist")] if indexes.spatial else []
        wanted += [(column, "btree") for column in indexes.attributes]
        wanted += [(column, "brin") for column in indexes.temporal]
        with self._patiently():
            for number, (column, method) in enumerate(wanted):
                self._index(table, f"{table.name}_{number}", column, method)
            self._connection.execute(sql.SQL("ANALYZE {}").format(identifier(table)))

    def _index(self, table: TableName, name: str, column: str, method: LiteralString) -> None:
        statement = sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} USING {} ({})").format(
            sql.Identifier(name), identifier(table), sql.SQL(method), sql.Identifier(column)
        )
        try:
            self._connection.execute(statement)
        except psycopg.errors.ProgramLimitExceeded as error:
            raise TaskFailed(codes.TABLE_INDEX_REFUSED, f"column {column}: {first_line(error)}") from error

    def count_rows(self, table: TableName) -> int:
        """Return how many rows this transaction sees."""
        return count_rows(self._connection, table)

    def publish(self, staged: TableName, table: TableName, *, replace: bool) -> Sequence[str]:
        """Move a table to its published place, over the one that is there."""
        self._set_local("lock_timeout", _LOCK_TIMEOUT)
        there = find(self._connection, table)
        if there is not None:
            if not replace:
                raise Conflict(codes.TABLE_EXISTS, f"There is a {_KINDS[there['relkind']]} {table}.")
            check_ours(table, there)
        swap = Swap(self._connection, staged, table)
        try:
            return swap.publish(there["oid"] if there else None)
        except psycopg.errors.DuplicateTable as error:
            raise Conflict(codes.TABLE_EXISTS, f"Another session made {table} a moment ago.") from error
        except psycopg.errors.DuplicateObject as error:
            message = f"There is a type {table}, and tables make one of their own name."
            raise Conflict(codes.TABLE_FOREIGN, message) from error

    def rehearse(self, staged: TableName, table: TableName, *, replace: bool) -> None:
        """Publish, and undo it at once; the locks go with it."""
        with self._connection.transaction():
            self.publish(staged, table, replace=replace)
            raise psycopg.Rollback

    def dependents(self, table: TableName) -> Sequence[Dependent]:
        """Return what reads a table, nearest first."""
        return dependents(self._connection, table)

    def drop(self, table: TableName, *, cascade: bool = False) -> bool:
        """Drop a table, with what depends on it if `cascade`."""
        there = find(self._connection, table)
        if there is None:
            return False
        check_ours(table, there)
        self._set_local("lock_timeout", _LOCK_TIMEOUT)
        how = sql.SQL("CASCADE" if cascade else "RESTRICT")
        try:
            with self._connection.transaction():
                self._connection.execute(sql.SQL("DROP TABLE {} {}").format(identifier(table), how))
        except psycopg.errors.DependentObjectsStillExist as error:
            reasons = (error.diag.message_detail or "").replace("\n", "; ")
            raise Conflict(codes.TABLE_DEPENDENTS, f"{table} cannot be dropped: {reasons}.") from error
        return True

    def move(self, table: TableName, to: TableName) -> None:
        """Give a table, or a view, another schema and name; ALTER TABLE takes views too."""
        there = find(self._connection, table)
        if there is None:
            raise missing(table)
        check_ours(table, there, kinds="rvm")
        if find(self._connection, to) is not None:
            raise Conflict(codes.TABLE_EXISTS, f"There is a table {to} already.")
        self._set_local("lock_timeout", _LOCK_TIMEOUT)
        try:
            with self._connection.transaction():
                move(self._connection, table, to)
        except psycopg.errors.DuplicateTable as error:
            raise Conflict(codes.TABLE_EXISTS, f"{table} cannot become {to}: {first_line(error)}.") from error

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        timeout = str(int(_WHOLE_TABLE_TIMEOUT.total_seconds() * 1000))
        before = self._set_local("statement_timeout", timeout)
        yield
        self._set_local("statement_timeout", before)

    def _set_local(self, name: str, value: str) -> str:
        row = self._connection.execute(_QUERIES["set_local"], {"name": name, "value": value}).fetchone()
        return str(row["before"]) if row else ""
