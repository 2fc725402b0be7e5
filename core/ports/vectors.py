"""The port to the tables that vectors are published as."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from core.declaration import Location

DependentKind = Literal["view", "materialized view", "table"]


@dataclass(frozen=True, order=True)
class TableName:
    """A table and its schema."""

    schema: str
    name: str

    def __str__(self) -> str:
        """Return the name as artifacts and addresses have it."""
        return f"{self.schema}.{self.name}"

    @classmethod
    def parse(cls, location: str) -> "TableName":
        """Return the table that a recorded location names; schemas have no dot in their names."""
        schema, _, name = location.partition(".")
        return cls(schema, name)

    @property
    def location(self) -> Location:
        """Return the table as a place that a job publishes to."""
        return Location("table", str(self))


@dataclass(frozen=True)
class TableColumn:
    """A column of attributes.

    Args:
        type: The type's name in PostgreSQL, with its modifiers, e.g. ``numeric(10,2)``.
        comment: What people are to know of it.
    """

    name: str
    type: str
    comment: str | None = None


@dataclass(frozen=True)
class NewTable:
    """A table to be loaded: ``id``, ``geom`` and the attributes.

    Args:
        columns: The attributes in order; none is called ``id`` or ``geom``.
        geometry_type: PostGIS's type modifier, e.g. ``MultiPolygon`` or ``PointZ``.
        srid: Of the geometries.
        first_free_id: Where ids of rows that people add later begin.
        comment: The table's.
    """

    columns: Sequence[TableColumn]
    geometry_type: str
    srid: int
    first_free_id: int = 1
    comment: str | None = None


@dataclass(frozen=True)
class GeometryRules:
    """What becomes of geometries that only PostGIS can read, in this order.

    They are linearised, repaired, reprojected, cut, simplified, put on a grid, and given the type and
    the dimensions of the table's column.

    Args:
        source_srid: Of the geometries; None if `source_crs` is to be used.
        source_crs: Text that PROJ takes.
        target_srid: Of the table.
        geometry_type: The table's modifier.
        curve_tolerance: Greatest distance between a curve and its chords, in units of the source
            CRS; None for 32 chords a quarter circle.
        split: Whether they are cut at the antimeridian, if the target is in degrees.
        tolerance: Of the simplification, in units of the target CRS; None for none.
        preserve_topology: How it simplifies.
        grid: Size of the grid's cells; None for none.
        keep_empty: Whether rows whose geometry has no point are loaded.
    """

    source_srid: int | None
    source_crs: str | None
    target_srid: int
    geometry_type: str
    curve_tolerance: float | None = None
    split: bool = False
    tolerance: float | None = None
    preserve_topology: bool = True
    grid: float | None = None
    keep_empty: bool = False


@dataclass(frozen=True)
class Chunk:
    """A Parquet file of rows: ``geom`` as ISO WKB, ``source_fid``, and the table's attributes.

    Args:
        path: The file.
        first_id: Id of its first row in the table; the others follow, so the ids are its key.
        rows: How many rows it has.
        rules: Set if PostGIS has to work on the geometries.
        conform: Makes an Arrow array of WKB fit the table's column, where PostGIS need not work on it.
    """

    path: Path
    first_id: int
    rows: int
    rules: GeometryRules | None = None
    conform: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Dropped:
    """Rows that PostGIS could not take, for one reason.

    Args:
        reason: ``empty`` or ``unusable``.
        message: What the first of them met.
        feature_ids: `source_fid` of the first ten.
    """

    reason: Literal["empty", "unusable"]
    message: str
    count: int
    feature_ids: Sequence[int]


@dataclass(frozen=True)
class Loaded:
    """What loading a chunk did.

    Args:
        rows: Rows in the table.
        replaced: Rows of an earlier run of the same chunk.
        repaired: Rows that PostGIS changed, by what it did.
        dropped: Rows that are not in the table.
    """

    rows: int
    replaced: int
    repaired: Mapping[str, int] = field(default_factory=dict)
    dropped: Sequence[Dropped] = ()


@dataclass(frozen=True)
class Indexes:
    """Which indexes a table gets.

    Args:
        spatial: GiST on the geometry.
        attributes: Columns with a B-tree.
        temporal: Columns with a BRIN.
    """

    spatial: bool = True
    attributes: Sequence[str] = ()
    temporal: Sequence[str] = ()


@dataclass(frozen=True)
class Dependent:
    """A relation that reads a table, directly or through another.

    Args:
        kind: ``view``, ``materialized view`` or ``table`` (by a foreign key or inheritance).
    """

    table: TableName
    kind: DependentKind


@dataclass(frozen=True)
class TableDescription:
    """A relation as it stands in the database.

    Args:
        kind: ``table``, ``view`` or whatever else PostgreSQL has.
        owned: Whether this app's role may change and drop it.
        columns: All of them, ``id`` and ``geom`` too.
        comment: The table's.
        nbytes: With indexes and what is stored apart.
    """

    table: TableName
    kind: str
    owned: bool
    columns: Sequence[TableColumn]
    comment: str | None
    nbytes: int


@dataclass(frozen=True)
class Extent:
    """Where the rows of a table lie on the Earth.

    Args:
        bbox: West, south, east, north in degrees; west > east across the antimeridian.
        footprint: GeoJSON in EPSG:4326 that covers every geometry.
        native_bbox: The bounds in the table's own CRS.
    """

    bbox: tuple[float, float, float, float]
    footprint: Mapping[str, object]
    native_bbox: tuple[float, float, float, float]


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
