"""Tables that vectors are published as, and what is loaded into them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

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

    They are linearised, repaired, rid of repeated points, reprojected, cut, simplified, put on a grid,
    their rings put in order, and given the type and the dimensions of the table's column.

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
