"""Chunks of rows as the preparation leaves them, and the stores that load them, in one shape."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from core.models.tables import Chunk, GeometryRules, Indexes, Loaded, NewTable, TableColumn, TableName
from core.ports.vectors import VectorStore, VectorTransaction
from infrastructure.database import Database
from infrastructure.memory.vector_store import InMemoryVectorStore
from infrastructure.vector_store import PostgisVectorStore

STAGED = TableName("vector_staging", "load_1")
TARGET = TableName("geo", "places")
PLACES = NewTable(
    columns=(TableColumn("name", "text", "Source column: Name"), TableColumn("people", "bigint")),
    geometry_type="Point",
    srid=4326,
    first_free_id=4,
    comment="Source: places.gpkg",
)


@dataclass(frozen=True)
class Vectors:
    """A store, and a way to change it.

    Args:
        reader: What can be asked.
        transaction: Opens a transaction of changes.
    """

    reader: VectorStore
    transaction: Callable[[], Any]

    def create(self, table: TableName = STAGED, definition: NewTable = PLACES) -> None:
        with self.transaction() as tables:
            tables.create(table, definition)

    def load(self, chunk: Chunk, table: TableName = STAGED) -> Loaded:
        with self.transaction() as tables:
            loaded: Loaded = tables.load(table, chunk)
        return loaded

    def publish(self, staged: TableName = STAGED, table: TableName = TARGET, **options: Any) -> Sequence[str]:
        with self.transaction() as tables:
            tables.index(staged, Indexes())
            left: Sequence[str] = tables.publish(staged, table, **{"replace": False, **options})
        return left


def memory_vectors() -> Vectors:
    """Return the store in memory."""
    store = InMemoryVectorStore()

    @contextmanager
    def transaction() -> Iterator[VectorTransaction]:
        writer = store.writer()
        yield writer
        writer.commit()

    return Vectors(store, transaction)


def postgis_vectors(database: Database) -> Vectors:
    """Return the store in PostGIS."""
    store = PostgisVectorStore(database)

    @contextmanager
    def transaction() -> Iterator[VectorTransaction]:
        with database.transaction() as connection:
            yield store.within(connection)

    return Vectors(store, transaction)


def place_chunk(
    folder: Path, first_id: int = 1, names: Sequence[str | None] = ("Rome", "Oslo", None)
) -> Chunk:
    """Write a chunk of places, with a point for each."""
    points = [shapely.Point(10 + number, 50) for number in range(len(names))]
    columns = {
        "name": pa.array(names, pa.string()),
        "people": pa.array([None, *range(1, len(names))], pa.int64()),
    }
    return write_chunk(folder / f"chunk_{first_id:05d}.parquet", points, columns, first_id)


def write_chunk(
    path: Path,
    geometries: Sequence[Any],
    columns: dict[str, Any] | None = None,
    first_id: int = 1,
    rules: GeometryRules | None = None,
) -> Chunk:
    """Write rows; geometries are shapely's, or WKB."""
    wkb = [
        one if isinstance(one, bytes | None) else shapely.to_wkb(one, byte_order=1, flavor="iso")
        for one in geometries
    ]
    table = pa.table(
        {
            "geom": pa.array(wkb, pa.binary()),
            "source_fid": pa.array(range(100, 100 + len(wkb)), pa.int64()),
            **(columns or {}),
        }
    )
    pq.write_table(table, path, compression="zstd")
    return Chunk(path, first_id, len(wkb), rules)
