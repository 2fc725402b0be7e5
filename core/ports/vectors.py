"""The port to the tables that vectors are published as."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from core.models.tables import (
    Chunk,
    Dependent,
    Extent,
    Indexes,
    Loaded,
    NewTable,
    TableDescription,
    TableName,
)


class VectorStore(Protocol):
    """What can be asked of tables.

    Raises `core.errors.TransientError` (``database.unavailable``) when the database does not answer.
    """

    def schema_exists(self, schema: str) -> bool:
        """Return whether there is such a schema in which this app's role may make tables."""
        ...

    def list_tables(self, schema: str) -> Iterator[TableName]:
        """Yield the tables of a schema by name; what extensions made is left out."""
        ...

    def describe(self, table: TableName) -> TableDescription | None:
        """Return a relation of any kind, or None."""
        ...

    def dependents(self, table: TableName) -> Sequence[Dependent]:
        """Return what reads a table, nearest first."""
        ...

    def count_rows(self, table: TableName) -> int:
        """Return how many rows a table has, by counting them.

        Raises:
            NotFound: There is no such table (``table.missing``).
        """
        ...

    def extent(self, table: TableName) -> Extent | None:
        """Return where the rows lie, in one pass and bounded memory; None if no row has a point.

        Raises:
            NotFound: There is no such table (``table.missing``).
        """
        ...

    def sample_geometries(self, table: TableName, limit: int, tolerance: float) -> Iterator[bytes]:
        """Yield about `limit` of a table's geometries as WKB, simplified, in the table's CRS."""
        ...


class VectorTransaction(Protocol):
    """Changes of tables, made in one transaction with the engine's own rows.

    Tables are loaded aside, in a schema that readers are not served from, and take their place
    by `publish`. What changes a table that readers use waits for them a few seconds, then gives
    up with a `TransientError`.
    """

    def create(self, table: TableName, definition: NewTable) -> None:
        """Create an empty table, in the place of one of this name."""
        ...

    def revise(self, table: TableName, definition: NewTable) -> None:
        """Let a table that is being loaded be as `definition` says, as far as only the last row tells.

        That is a geometry type that takes more, which the rows that are there get, and the first
        free id. A table that is so already stays as it is.
        """
        ...

    def load(self, table: TableName, chunk: Chunk) -> Loaded:
        """Put the rows of a chunk in a table, in the place of those of an earlier run.

        Raises:
            TaskFailed: The database refuses a row (``table.row_refused``), or the file does not
                have the rows that it should (``table.chunk_differs``).
        """
        ...

    def index(self, table: TableName, indexes: Indexes) -> None:
        """Give a table that is loaded its indexes and statistics; done before, it is done again."""
        ...

    def count_rows(self, table: TableName) -> int:
        """Return how many rows this transaction sees in a table."""
        ...

    def publish(self, staged: TableName, table: TableName, *, replace: bool) -> Sequence[str]:
        """Move a table to its published place, over the one that is there.

        Privileges, comments that people wrote and views stay as they were with the former table;
        a new table gets the default privileges of its schema.

        Returns:
            What the former table had beside, and the new one has not: names of indexes.

        Raises:
            Conflict: The place is taken and `replace` is False (``table.exists``), what stands
                there is not ours to drop (``table.foreign``), or something hangs on it that
                cannot be kept (``table.dependents``).
        """
        ...

    def rehearse(self, staged: TableName, table: TableName, *, replace: bool) -> None:
        """Raise what `publish` would raise now, and change nothing."""
        ...

    def dependents(self, table: TableName) -> Sequence[Dependent]:
        """Return what reads a table, nearest first."""
        ...

    def drop(self, table: TableName, *, cascade: bool = False) -> bool:
        """Drop a table; return False if there was none.

        Args:
            table: The table.
            cascade: Drop what depends on it, too.

        Raises:
            Conflict: Something depends on it and `cascade` is False (``table.dependents``), or it
                is not ours to drop (``table.foreign``).
        """
        ...

    def move(self, table: TableName, to: TableName) -> None:
        """Give a table, or a view, another schema and name; what belongs to it goes with it.

        Views go on reading it where it is then.

        Raises:
            NotFound: There is no such table (``table.missing``).
            Conflict: The place is taken (``table.exists``), or the table is not ours to move
                (``table.foreign``).
        """
        ...
