"""Vector tables in memory: rows as dictionaries, geometries as the WKB that came."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow.parquet as pq

from core import codes
from core.errors import Conflict, NotFound, TaskFailed
from core.json import JsonObject
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

_FEATURE_ID = "source_fid"


@dataclass(frozen=True)
class MemoryTable:
    """A table; nothing in it is changed in place.

    Args:
        rows: By id.
        owned: Whether the app may drop it.
    """

    definition: NewTable
    rows: Mapping[int, JsonObject] = field(default_factory=dict)
    owned: bool = True


@dataclass
class _State:
    tables: dict[TableName, MemoryTable] = field(default_factory=dict)
    views: dict[TableName, TableName] = field(default_factory=dict)

    def copied(self) -> "_State":
        return _State(dict(self.tables), dict(self.views))

    def table(self, name: TableName) -> MemoryTable:
        if name not in self.tables:
            raise NotFound(codes.TABLE_MISSING, f"There is no table {name}.")
        return self.tables[name]

    def ours(self, name: TableName) -> MemoryTable:
        table = self.table(name)
        if not table.owned:
            raise Conflict(codes.TABLE_FOREIGN, f"{name} belongs to another role of the database.")
        return table

    def dependents(self, name: TableName) -> list[Dependent]:
        return [Dependent(view, "view") for view, table in sorted(self.views.items()) if table == name]


class InMemoryVectorStore:
    """`core.ports.vectors.VectorStore` on dictionaries; `writer` changes them.

    Args:
        schemas: Schemas that there are.
    """

    def __init__(self, schemas: Sequence[str] = ("geo", "vector_staging")) -> None:
        self._schemas = frozenset(schemas)
        self._state = _State()
        self._lock = threading.Lock()

    def schema_exists(self, schema: str) -> bool:
        """Return whether there is such a schema."""
        return schema in self._schemas

    def list_tables(self, schema: str) -> Iterator[TableName]:
        """Yield the tables of a schema by name."""
        yield from sorted(table for table in self._state.tables if table.schema == schema)

    def describe(self, table: TableName) -> TableDescription | None:
        """Return a table, or None."""
        found = self._state.tables.get(table)
        if found is None:
            return None
        definition = found.definition
        geometry = f"geometry({definition.geometry_type},{definition.srid})"
        columns = [TableColumn("id", "bigint"), TableColumn("geom", geometry), *definition.columns]
        return TableDescription(table, "table", found.owned, columns, definition.comment, len(found.rows))

    def dependents(self, table: TableName) -> Sequence[Dependent]:
        """Return the views that were put on a table."""
        return self._state.dependents(table)

    def count_rows(self, table: TableName) -> int:
        """Return how many rows a table has."""
        return len(self._state.table(table).rows)

    def extent(self, table: TableName) -> Extent | None:
        """Return nothing: what is in WKB is not read here."""
        self._state.table(table)
        return None

    def sample_geometries(self, table: TableName, limit: int, tolerance: float) -> Iterator[bytes]:  # noqa: ARG002 - the port has it
        """Yield the first geometries as they are."""
        rows = [row for row in self._state.table(table).rows.values() if row["geom"] is not None]
        yield from (row["geom"] for row in rows[:limit])

    def put(self, table: TableName, definition: NewTable, *, owned: bool = True) -> None:
        """Let a table stand there that no job made."""
        self.apply([lambda state: state.tables.update({table: MemoryTable(definition, owned=owned)})])

    def put_view(self, view: TableName, table: TableName) -> None:
        """Let a view read a table."""
        self.apply([lambda state: state.views.update({view: table})])

    def writer(self) -> "InMemoryVectorTransaction":
        """Return a writer whose changes nobody else sees before its `commit`."""
        return InMemoryVectorTransaction(self)

    def snapshot(self) -> _State:
        """Return the present state."""
        with self._lock:
            return self._state.copied()

    def apply(self, changes: Sequence[Callable[[_State], object]]) -> None:
        """Make changes to the state, all of them or, if one raises, none."""
        with self._lock:
            state = self._state.copied()
            for change in changes:
                change(state)
            self._state = state


class InMemoryVectorTransaction:
    """`core.ports.vectors.VectorTransaction` that keeps its changes until `commit`."""

    def __init__(self, store: InMemoryVectorStore) -> None:
        self._store = store
        self._state = store.snapshot()
        self._changes: list[Callable[[_State], object]] = []

    def commit(self) -> None:
        """Make the changes visible, all at once."""
        changes, self._changes = self._changes, []
        self._store.apply(changes)

    def create(self, table: TableName, definition: NewTable) -> None:
        """Create an empty table, in the place of one of this name."""
        self.drop(table)
        self._do(lambda state: state.tables.update({table: MemoryTable(definition)}))

    def revise(self, table: TableName, definition: NewTable) -> None:
        """Change what the table says of itself; geometries stay the WKB that came."""
        revised = replace(
            self._state.table(table).definition,
            geometry_type=definition.geometry_type,
            first_free_id=definition.first_free_id,
        )
        self._do(lambda state: _revise(state, table, revised))

    def load(self, table: TableName, chunk: Chunk) -> Loaded:
        """Put the rows of a chunk in a table."""
        found = pq.read_table(chunk.path).to_pylist()
        if len(found) != chunk.rows:
            raise TaskFailed(
                codes.TABLE_CHUNK_DIFFERS,
                f"{chunk.path.name} has {len(found)} rows where {chunk.rows} were prepared.",
            )
        added = {
            chunk.first_id + number: {key: row[key] for key in row if key != _FEATURE_ID}
            for number, row in enumerate(found)
        }
        replaced = len(added.keys() & self._state.table(table).rows.keys())
        self._do(lambda state: _add(state, table, added))
        return Loaded(rows=len(added), replaced=replaced)

    def index(self, table: TableName, indexes: Indexes) -> None:  # noqa: ARG002 - nothing to look up faster
        """Do nothing."""
        self._state.table(table)

    def count_rows(self, table: TableName) -> int:
        """Return how many rows this transaction sees."""
        return len(self._state.table(table).rows)

    def publish(self, staged: TableName, table: TableName, *, replace: bool) -> Sequence[str]:
        """Move a table to its published place."""
        self.rehearse(staged, table, replace=replace)
        self._do(lambda state: state.tables.update({table: state.tables.pop(staged)}))
        return []

    def rehearse(self, staged: TableName, table: TableName, *, replace: bool) -> None:
        """Raise what `publish` would raise."""
        self._state.table(staged)
        if table in self._state.tables and not replace:
            raise Conflict(codes.TABLE_EXISTS, f"There is a table {table}.")
        if table in self._state.tables:
            self._state.ours(table)

    def dependents(self, table: TableName) -> Sequence[Dependent]:
        """Return the views that were put on a table."""
        return self._state.dependents(table)

    def drop(self, table: TableName, *, cascade: bool = False) -> bool:
        """Drop a table, with its views if `cascade`."""
        if table not in self._state.tables:
            return False
        self._state.ours(table)
        hanging = [str(dependent.table) for dependent in self.dependents(table)]
        if hanging and not cascade:
            raise Conflict(
                codes.TABLE_DEPENDENTS, f"{table} cannot be dropped: {', '.join(hanging)} depends on it."
            )
        self._do(lambda state: _drop(state, table))
        return True

    def move(self, table: TableName, to: TableName) -> None:
        """Give a table, or a view, another schema and name; its views go on reading it."""
        if table in self._state.views:
            self._do(lambda state: _move_view(state, table, to))
            return
        self._state.ours(table)
        if to in self._state.tables:
            raise Conflict(codes.TABLE_EXISTS, f"There is a table {to} already.")
        self._do(lambda state: _move(state, table, to))

    def _do(self, change: Callable[[_State], object]) -> None:
        change(self._state)
        self._changes.append(change)


def _revise(state: _State, table: TableName, definition: NewTable) -> None:
    state.tables[table] = replace(state.table(table), definition=definition)


def _add(state: _State, table: TableName, rows: Mapping[int, JsonObject]) -> None:
    before = state.table(table)
    state.tables[table] = replace(before, rows={**before.rows, **rows})


def _drop(state: _State, table: TableName) -> None:
    state.tables.pop(table, None)
    state.views = {view: on for view, on in state.views.items() if on != table}


def _move_view(state: _State, view: TableName, to: TableName) -> None:
    state.views[to] = state.views.pop(view)


def _move(state: _State, table: TableName, to: TableName) -> None:
    state.tables[to] = state.tables.pop(table)
    state.views = {view: to if on == table else on for view, on in state.views.items()}
