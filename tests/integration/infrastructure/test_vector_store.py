"""Vector tables in PostGIS: values as they were, geometries that only PostGIS reads, and the swap."""

import decimal
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyproj
import pytest
import shapely
from psycopg.rows import DictRow

from config.settings import DatabaseSettings
from core import codes
from core.errors import Conflict, TaskFailed, TransientError
from core.models.tables import GeometryRules, Indexes, NewTable, TableColumn, TableName
from infrastructure.database import Database
from infrastructure.vector_store import PostgisVectorTransaction
from services.vector.wkb import conform
from tests.factories.vectors import (
    STAGED,
    TARGET,
    Vectors,
    place_chunk,
    postgis_vectors,
    write_chunk,
)
from tests.fixtures.postgres import PostgresServer

OLDEST = -(2**63)
# What a source says that names no zone.
NAIVE = datetime(2024, 2, 28, 12, 0, 0, 1, tzinfo=UTC).replace(tzinfo=None)
VALUES: dict[str, tuple[str, pa.DataType, list[Any]]] = {
    "small": ("smallint", pa.int16(), [-32768, 32767]),
    "whole": ("integer", pa.int32(), [-(2**31), 2**31 - 1]),
    "big": ("bigint", pa.int64(), [OLDEST, 2**63 - 1]),
    "exact": (
        "numeric",
        pa.decimal128(20, 3),
        [decimal.Decimal("-12345678901234567.891"), decimal.Decimal(0)],
    ),
    "wide": (
        "numeric",
        pa.decimal256(60, 5),
        [decimal.Decimal("9" * 55 + ".00001"), decimal.Decimal("-0.5")],
    ),
    "single": ("real", pa.float32(), [0.5, float("inf")]),
    "twofold": ("double precision", pa.float64(), [1e-300, float("-inf")]),
    "truth": ("boolean", pa.bool_(), [True, False]),
    "words": ("text", pa.string(), ["O'Neill; DROP TABLE geo.places; --", "日本 \\ \t\n"]),
    "day": ("date", pa.date32(), [date(1, 1, 1), date(9999, 12, 31)]),
    "hour": ("time", pa.time64("us"), [time(0), time(23, 59, 59, 999999)]),
    "moment": ("timestamp", pa.timestamp("us"), [NAIVE.replace(year=1), NAIVE]),
    "instant": (
        "timestamptz",
        pa.timestamp("us", "UTC"),
        [datetime(1969, 12, 31, 23, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC)],
    ),
    "object": ("jsonb", pa.string(), ['{"a": [1, null]}', '"text"']),
    "bytes": ("bytea", pa.binary(), [b"\x00\xff", b""]),
    "wholes": ("bigint[]", pa.list_(pa.int64()), [[1, None, 3], []]),
    "numbers": ("double precision[]", pa.list_(pa.float64()), [[0.5], [1.5, 2.5]]),
    "truths": ("boolean[]", pa.list_(pa.bool_()), [[True, False], [None]]),
    "texts": ("text[]", pa.list_(pa.string()), [["a,b", '{"'], [""]]),
}


@pytest.fixture
def vectors(database: Database) -> Vectors:
    return postgis_vectors(database)


@pytest.fixture
def superuser(
    postgres_server: PostgresServer, database_settings: DatabaseSettings
) -> Iterator[psycopg.Connection[DictRow]]:
    with closing(postgres_server.connect(database_settings.database)) as connection:
        yield connection


@pytest.mark.parametrize("left_out", [(), ("wide",)], ids=["by way of text", "as they come"])
def test_values_of_every_type_are_loaded_as_they_are(
    vectors: Vectors, database: Database, tmp_path: Path, left_out: tuple[str, ...]
) -> None:
    kept = {name: value for name, value in VALUES.items() if name not in left_out}
    arrays = {name: pa.array([*values, None], kind) for name, (_, kind, values) in kept.items()}
    definition = NewTable([TableColumn(name, kind) for name, (kind, _, _) in kept.items()], "Point", 4326)
    vectors.create(definition=definition)

    vectors.load(write_chunk(tmp_path / "c.parquet", [shapely.Point(1, 2)] * 3, arrays))

    rows = database.fetch_all("SELECT * FROM vector_staging.load_1 ORDER BY id")
    for name, (kind, _, values) in kept.items():
        expected = [json.loads(value) for value in values] if kind == "jsonb" else values
        assert [row[name] for row in rows] == [*expected, None], name


def test_geometries_get_the_srid_and_the_dimensions_of_the_column(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    vectors.create(definition=NewTable([], "MultiPolygonZ", 25832))
    square = shapely.MultiPolygon([shapely.box(0, 0, 1, 1)])

    vectors.load(write_chunk(tmp_path / "c.parquet", [shapely.force_3d(square, 7), None]))

    rows = database.fetch_all("SELECT ST_AsEWKT(geom) AS wkt FROM vector_staging.load_1 ORDER BY id")
    assert [row["wkt"] for row in rows] == [
        "SRID=25832;MULTIPOLYGON(((1 0 7,1 1 7,0 1 7,0 0 7,1 0 7)))",
        None,
    ]


def test_ids_are_those_of_the_source_order_and_go_on_after_it(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    vectors.create()
    vectors.load(place_chunk(tmp_path))
    vectors.publish()

    row = database.fetch_one("INSERT INTO geo.places (name) VALUES ('Bern') RETURNING id")

    found = database.fetch_all("SELECT id, name FROM geo.places ORDER BY id")
    assert row == {"id": 4}
    assert [(row["id"], row["name"]) for row in found] == [(1, "Rome"), (2, "Oslo"), (3, None), (4, "Bern")]


SQUARE, LINE = "POLYGON ((0 0, 1 0, 1 1, 0 0))", "LINESTRING (0 0, 1 1)"


@pytest.mark.parametrize(
    ("texts", "first", "last"),
    [
        ((SQUARE, "POLYGON EMPTY", None), "Polygon", "MultiPolygon"),
        ((SQUARE, "POLYGON EMPTY", None), "Polygon", "PolygonZ"),
        ((SQUARE, "POLYGON EMPTY", None), "Polygon", "MultiPolygonZ"),
        (
            (SQUARE, f"MULTI{SQUARE}".replace("((", "(((").replace("))", ")))")),
            "MultiPolygon",
            "MultiPolygonZ",
        ),
        ((SQUARE, "POLYGON EMPTY"), "Polygon", "Geometry"),
        ((SQUARE, LINE, "POINT (1 2)", "POINT EMPTY"), "Geometry", "GeometryZ"),
        ((LINE, "LINESTRING EMPTY"), "LineString", "MultiLineStringM"),
        (("POINT Z (1 2 3)",), "PointZ", "PointZM"),
        ((SQUARE, LINE, "POINT EMPTY", "MULTIPOLYGON EMPTY"), "Geometry", "GeometryZM"),
        ((SQUARE, "POLYGON EMPTY", "GEOMETRYCOLLECTION EMPTY"), "Geometry", "GeometryM"),
        ((None, None), "Geometry", "Polygon"),
    ],
)
def test_rows_that_were_there_before_the_type_was_known_are_like_those_that_came_after(
    vectors: Vectors, database: Database, tmp_path: Path, texts: tuple[str | None, ...], first: str, last: str
) -> None:
    shapes = [None if text is None else shapely.from_wkt(text) for text in texts]
    chunk = write_chunk(tmp_path / "c.parquet", shapes)
    vectors.create(definition=NewTable([], first, 4326))
    vectors.load(replace(chunk, conform=partial(conform, geometry_type=first)))

    with vectors.transaction() as tables:
        tables.revise(STAGED, NewTable([], last, 4326, first_free_id=50))

    again = replace(chunk, first_id=11)
    if last.endswith("M"):
        again = replace(again, rules=GeometryRules(4326, None, 4326, last, keep_empty=True))
    vectors.load(replace(again, conform=partial(conform, geometry_type=last)))
    rows = database.fetch_all("SELECT geom::bytea, ST_AsText(geom) FROM vector_staging.load_1 ORDER BY id")
    assert rows[: len(texts)] == rows[len(texts) :]
    described = vectors.reader.describe(STAGED)
    assert described is not None
    assert described.columns[1].type == f"geometry({last},4326)"


def test_a_geometry_of_another_type_is_refused_with_its_row(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()

    with pytest.raises(TaskFailed) as caught:
        vectors.load(
            write_chunk(
                tmp_path / "c.parquet",
                [shapely.box(0, 0, 1, 1)],
                {"name": pa.array(["x"]), "people": pa.array([1], pa.int64())},
            )
        )

    assert caught.value.code == codes.TABLE_ROW_REFUSED
    assert "Polygon" in caught.value.message


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({f"c{number}": pa.array([2**40]) for number in range(1_500)}, "row is too big"),
        ({"words": pa.array(["a\0b"])}, "0x00"),
        ({"object": pa.array(["{broken"])}, "json"),
    ],
)
def test_a_row_that_no_table_can_hold_is_an_error_and_not_tried_again(
    vectors: Vectors, tmp_path: Path, columns: dict[str, pa.Array], told: str
) -> None:
    types = {"words": "text", "object": "jsonb"}
    definition = [TableColumn(name, types.get(name, "bigint")) for name in columns]
    vectors.create(definition=NewTable(definition, "Point", 4326))

    with pytest.raises(TaskFailed) as caught:
        vectors.load(write_chunk(tmp_path / "c.parquet", [shapely.Point(1, 2)], columns))

    assert caught.value.code == codes.TABLE_ROW_REFUSED
    assert told in caught.value.message


RULES = GeometryRules(source_srid=3857, source_crs=None, target_srid=4326, geometry_type="MultiPolygon")
UTM = "+proj=utm +zone=33 +datum=WGS84 +units=m +no_defs"


def _ewkb(database: Database, wkt: str) -> bytes:
    row = database.fetch_one("SELECT ST_AsBinary(%s::geometry, 'NDR') AS wkb", [wkt])
    assert row is not None
    return bytes(row["wkb"])


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        (
            "CURVEPOLYGON(CIRCULARSTRING(0 0,2 0,2 2,0 2,0 0))",
            ("MultiPolygon", "ST_MultiPolygon", ("linearised",)),
        ),
        (
            "COMPOUNDCURVE((0 0,1 1),CIRCULARSTRING(1 1,2 2,3 1))",
            ("LineString", "ST_LineString", ("linearised",)),
        ),
        (
            "MULTISURFACE(CURVEPOLYGON((0 0,1 0,1 1,0 0)))",
            ("MultiPolygon", "ST_MultiPolygon", ("linearised",)),
        ),
        ("POINT M (1 2 3)", ("PointM", "ST_Point", ())),
        ("LINESTRING ZM (1 2 3 4,5 6 7 8)", ("LineStringZM", "ST_LineString", ())),
        (
            "TIN Z (((0 0 0,0 0 1,0 1 0,0 0 0)),((0 0 0,0 1 0,1 1 0,0 0 0)))",
            ("MultiPolygonZ", "ST_MultiPolygon", ("faces",)),
        ),
        (
            "POLYHEDRALSURFACE Z (((0 0 0,0 0 1,0 1 1,0 1 0,0 0 0)))",
            ("MultiPolygonZ", "ST_MultiPolygon", ("faces",)),
        ),
        ("TRIANGLE Z ((0 0 0,0 0 1,0 1 0,0 0 0))", ("MultiPolygonZ", "ST_MultiPolygon", ("faces",))),
        ("POLYGON((0 0,2 2,2 0,0 2,0 0))", ("MultiPolygon", "ST_MultiPolygon", ("made_valid", "ring_order"))),
        (
            "GEOMETRYCOLLECTION(CIRCULARSTRING(0 0,1 1,2 0),POINT(1 1))",
            ("GeometryCollection", "ST_GeometryCollection", ("linearised",)),
        ),
        (
            "POLYGON M ((0 0 1,0 1 2,1 1 3,1 0 4,0 0 1))",
            ("PolygonM", "ST_Polygon", ("ring_order",)),
        ),
        (
            "MULTISURFACE(((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 2,1 1)))",
            ("MultiPolygon", "ST_MultiPolygon", ("linearised", "ring_order")),
        ),
        (
            "POLYGON M ((0 0 1,1 0 2,1 0 2,1 1 3,0 0 1))",
            ("PolygonM", "ST_Polygon", ("repeated_points",)),
        ),
        ("LINESTRING M (0 0 1,0 0 1,1 1 2)", ("LineStringM", "ST_LineString", ("repeated_points",))),
        ("LINESTRING M (0 0 1,0 0 2,1 1 3)", ("LineStringM", "ST_LineString", ())),
        ("LINESTRING ZM (0 0 5 1,0 0 5 1,1 1 5 2)", ("LineStringZM", "ST_LineString", ())),
        ("MULTIPOINT M (0 0 1,0 0 1)", ("MultiPointM", "ST_MultiPoint", ())),
    ],
)
def test_postgis_prepares_what_only_it_can_read(
    vectors: Vectors,
    database: Database,
    tmp_path: Path,
    given: str,
    becomes: tuple[str, str, tuple[str, ...]],
) -> None:
    geometry_type, expected, actions = becomes
    rules = GeometryRules(None, UTM, 4326, geometry_type)
    vectors.create(definition=NewTable([], geometry_type, 4326))

    loaded = vectors.load(write_chunk(tmp_path / "c.parquet", [_ewkb(database, given)], rules=rules))

    assert (loaded.rows, loaded.dropped) == (1, [])
    assert loaded.repaired == dict.fromkeys(actions, 1)
    row = database.fetch_one(
        "SELECT ST_GeometryType(geom) AS type, ST_X(ST_Centroid(geom)) BETWEEN 10 AND 11 AS placed "
        "FROM vector_staging.load_1"
    )
    assert row == {"type": expected, "placed": True}


def _prepared(
    vectors: Vectors, database: Database, folder: Path, given: str, rules: GeometryRules
) -> tuple[str, dict[str, int]]:
    """Load a geometry, and return it rounded with what was done to it."""
    vectors.create(definition=NewTable([], rules.geometry_type, rules.target_srid))
    loaded = vectors.load(write_chunk(folder / "c.parquet", [_ewkb(database, given)], rules=rules))
    row = database.fetch_one(f"SELECT ST_AsText(geom, 6) AS wkt FROM {STAGED}")  # noqa: S608 - our own name
    assert (loaded.rows, loaded.dropped) == (1, [])
    assert row is not None
    return row["wkt"], dict(loaded.repaired)


@pytest.mark.parametrize(
    ("geometry_type", "given", "becomes"),
    [
        (
            "PolygonM",
            "POLYGON M ((0 0 1,0 4 2,4 4 3,4 0 4,0 0 1),(1 1 5,2 1 6,2 2 7,1 1 5))",
            "POLYGON M ((0 0 1,4 0 4,4 4 3,0 4 2,0 0 1),(1 1 5,2 2 7,2 1 6,1 1 5))",
        ),
        (
            "GeometryCollectionM",
            "GEOMETRYCOLLECTION M (LINESTRING M (0 0 1,1 1 2),MULTIPOINT M ((3 3 3)),"
            "GEOMETRYCOLLECTION M (POLYGON M ((0 0 1,0 1 2,1 1 3,0 0 1))))",
            "GEOMETRYCOLLECTION M (LINESTRING M (0 0 1,1 1 2),MULTIPOINT M ((3 3 3)),"
            "GEOMETRYCOLLECTION M (POLYGON M ((0 0 1,1 1 3,0 1 2,0 0 1))))",
        ),
    ],
)
def test_rings_of_what_only_postgis_reads_run_as_geojson_wants_them(
    vectors: Vectors, database: Database, tmp_path: Path, geometry_type: str, given: str, becomes: str
) -> None:
    rules = GeometryRules(4326, None, 4326, geometry_type)

    assert _prepared(vectors, database, tmp_path, given, rules) == (becomes, {"ring_order": 1})


def test_points_that_differ_in_their_measure_alone_are_not_repeated(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    rules = GeometryRules(4326, None, 4326, "LineStringM")

    found = _prepared(vectors, database, tmp_path, "LINESTRING M (0 0 1,0 0 1,0 0 2,1 1 3)", rules)

    assert found == ("LINESTRING M (0 0 1,0 0 2,1 1 3)", {"repeated_points": 1})


@pytest.mark.parametrize(
    ("geometry_type", "given", "becomes"),
    [
        (
            "MultiPolygon",
            "CURVEPOLYGON(COMPOUNDCURVE((179 0,-179 0,-179 1,179 1,179 0)))",
            "MULTIPOLYGON(((180 1,180 0,179 0,179 1,180 1)),((-180 0,-180 1,-179 1,-179 0,-180 0)))",
        ),
        (
            "MultiLineStringZ",
            "MULTICURVE Z ((178 0 1,-178 0 5),CIRCULARSTRING Z (1 1 1,1 1 1,1 1 1))",
            None,
        ),
        ("MultiLineString", "COMPOUNDCURVE((179 0,181 0))", "MULTILINESTRING((179 0,180 0),(-180 0,-179 0))"),
        ("MultiLineStringM", "LINESTRING M (1 0 1,2 0 3)", "MULTILINESTRING M ((1 0 1,2 0 3))"),
        ("PointM", "POINT M (179 1 7)", "POINT M (179 1 7)"),
    ],
)
def test_what_jumps_is_cut_at_the_antimeridian_if_wanted(
    vectors: Vectors,
    database: Database,
    tmp_path: Path,
    geometry_type: str,
    given: str,
    becomes: str | None,
) -> None:
    rules = GeometryRules(4326, None, 4326, geometry_type, split=True)
    vectors.create(definition=NewTable([], geometry_type, 4326))

    loaded = vectors.load(write_chunk(tmp_path / "c.parquet", [_ewkb(database, given)], rules=rules))

    assert (loaded.rows, loaded.dropped) == (1, [])
    row = database.fetch_one(
        "SELECT ST_AsText(geom) AS wkt, ST_XMax(geom) <= 180 AS within, "
        "ST_Equals(geom, coalesce(ST_GeomFromText(%s, 4326), geom)) AS equal FROM vector_staging.load_1",
        [becomes],
    )
    assert row is not None
    assert (row["within"], row["equal"]) == (True, True), row["wkt"]
    jumped = "179 0" in given or "178 0" in given
    assert loaded.repaired.get("split_at_antimeridian", 0) == int(jumped)


def test_nothing_is_cut_unless_asked_or_where_there_are_no_degrees(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    line = _ewkb(database, "LINESTRING M (179 0 1,-179 0 2)")
    metres = GeometryRules(4326, None, 3857, "LineStringM", split=True)
    vectors.create(definition=NewTable([], "LineStringM", 3857))

    loaded = vectors.load(write_chunk(tmp_path / "c.parquet", [line], rules=metres))
    assert (loaded.rows, loaded.repaired) == (1, {})

    vectors.create(definition=NewTable([], "LineStringM", 4326))
    kept = GeometryRules(4326, None, 4326, "LineStringM")
    assert vectors.load(write_chunk(tmp_path / "c.parquet", [line], rules=kept)).rows == 1


def test_measures_and_heights_survive_the_reprojection(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    rules = GeometryRules(3857, None, 4326, "PointZM")
    vectors.create(definition=NewTable([], "PointZM", 4326))

    vectors.load(write_chunk(tmp_path / "c.parquet", [_ewkb(database, "POINT ZM (0 0 3 4)")], rules=rules))

    row = database.fetch_one("SELECT ST_AsEWKT(ST_SnapToGrid(geom, 1e-6)) AS wkt FROM vector_staging.load_1")
    assert row == {"wkt": "SRID=4326;POINT(0 0 3 4)"}


@pytest.mark.parametrize("tolerance", [0.5, 0.001])
def test_chords_are_as_near_to_an_arc_as_was_asked_for(
    vectors: Vectors, database: Database, tmp_path: Path, tolerance: float
) -> None:
    rules = GeometryRules(3857, None, 3857, "LineString", curve_tolerance=tolerance)

    wkt, done = _prepared(vectors, database, tmp_path, "CIRCULARSTRING(0 0,10 10,20 0)", rules)

    points = shapely.get_coordinates(shapely.from_wkt(wkt)) - (10, 0)
    # A chord is farthest from its arc in the middle.
    gaps = 10 - np.hypot(*((points[1:] + points[:-1]) / 2).T)
    assert done == {"linearised": 1}
    assert np.hypot(*points.T) == pytest.approx(10, abs=1e-5)
    assert gaps.max() <= tolerance + 1e-5


def test_a_smaller_tolerance_takes_more_points(vectors: Vectors, database: Database, tmp_path: Path) -> None:
    rules = GeometryRules(3857, None, 3857, "LineString")
    counts: list[int] = []
    for tolerance in (0.5, 0.001):
        finer = replace(rules, curve_tolerance=tolerance)
        wkt, _ = _prepared(vectors, database, tmp_path, "CIRCULARSTRING(0 0,10 10,20 0)", finer)
        counts.append(int(shapely.get_num_points(shapely.from_wkt(wkt))))

    assert counts[0] < counts[1]


SWISS_LIKE = pyproj.CRS("+proj=somerc +lat_0=46.9 +lon_0=7.4 +x_0=100 +y_0=200 +ellps=bessel").to_wkt()
NORTH_FIRST = pyproj.CRS(3035).to_wkt().replace('natural origin",52', 'natural origin",51')


@pytest.mark.parametrize(
    ("source", "x", "y"),
    [
        (SWISS_LIKE, 5_000.0, 9_000.0),
        (NORTH_FIRST, 4_500_000.0, 3_000_000.0),
        ("OGC:CRS84", 9.0, 48.0),
        ("ESRI:54009", 600_000.0, 5_500_000.0),
    ],
    ids=["WKT 2", "northing first", "OGC", "ESRI"],
)
def test_postgis_takes_a_source_crs_by_every_name_that_the_child_gives(
    vectors: Vectors, database: Database, tmp_path: Path, source: str, x: float, y: float
) -> None:
    rules = GeometryRules(None, source, 4326, "PointM")
    easting_first = pyproj.Transformer.from_crs(source, 4326, always_xy=True)

    wkt, done = _prepared(vectors, database, tmp_path, f"POINT M ({x} {y} 7)", rules)

    found = shapely.get_coordinates(shapely.from_wkt(wkt.replace(" M ", " Z ")), include_z=True)[0]
    assert found == pytest.approx((*easting_first.transform(x, y), 7), abs=2e-6)
    assert done == {}


def test_what_postgis_cannot_prepare_is_dropped_with_reason_and_number(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    square = _ewkb(database, "POLYGON((0 0,1 0,1 1,0 0))")
    broken = [b"\x01\x03\x00", _ewkb(database, "POINT(1 1)")]
    empty = [_ewkb(database, "CURVEPOLYGON EMPTY")]
    vectors.create(definition=NewTable([], "MultiPolygon", 4326))

    loaded = vectors.load(
        write_chunk(tmp_path / "c.parquet", [square, *broken * 6, *empty, None, square], rules=RULES)
    )

    assert loaded.rows == 3
    assert {one.reason: (one.count, list(one.feature_ids)) for one in loaded.dropped} == {
        "unusable": (12, list(range(101, 111))),
        "empty": (1, [113]),
    }
    assert vectors.reader.count_rows(STAGED) == 3


def test_a_chunk_by_way_of_postgis_is_replaced_too(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    vectors.create(definition=NewTable([], "MultiPolygon", 4326))
    chunk = write_chunk(
        tmp_path / "c.parquet", [_ewkb(database, "POLYGON((0 0,1 0,1 1,0 0))")] * 2, rules=RULES
    )
    vectors.load(chunk)

    again = vectors.load(chunk)

    assert (again.rows, again.replaced, vectors.reader.count_rows(STAGED)) == (2, 2, 2)


def test_the_indexes_that_were_asked_for_are_there(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    vectors.create()
    vectors.load(place_chunk(tmp_path))

    with vectors.transaction() as tables:
        tables.index(STAGED, Indexes(spatial=True, attributes=("name",), temporal=("people",)))
        tables.publish(STAGED, TARGET, replace=False)

    found = database.fetch_all(
        "SELECT am.amname AS method, c.relname AS name FROM pg_index AS i "
        "JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS am ON am.oid = c.relam "
        "WHERE i.indrelid = 'geo.places'::regclass ORDER BY c.relname"
    )
    assert [(row["method"], row["name"][:-9]) for row in found] == [
        ("gist", "places_geom_gist"),
        ("btree", "places_name_btree"),
        ("brin", "places_people_brin"),
        ("btree", "places_pkey"),
    ]
    statistics = database.fetch_one("SELECT reltuples FROM pg_class WHERE oid = 'geo.places'::regclass")
    assert statistics == {"reltuples": 3.0}


def test_values_too_long_for_an_index_are_an_error_with_a_remedy(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()
    random_text = "".join(chr(33 + (number * 7919) % 90) + str(number) for number in range(20_000))
    vectors.load(place_chunk(tmp_path, 1, (random_text,)))

    with pytest.raises(TaskFailed) as caught, vectors.transaction() as tables:
        tables.index(STAGED, Indexes(attributes=("name",)))

    assert caught.value.code == codes.TABLE_INDEX_REFUSED


def _publish(vectors: Vectors, folder: Path, staged: str = "load_1", **options: Any) -> list[str]:
    name = TableName("vector_staging", staged)
    vectors.create(name)
    vectors.load(place_chunk(folder), name)
    return list(vectors.publish(name, **options))


def test_privileges_comments_and_views_outlive_a_replacement(
    vectors: Vectors, database: Database, superuser: psycopg.Connection[DictRow], tmp_path: Path
) -> None:
    _publish(vectors, tmp_path)
    superuser.execute("DROP ROLE IF EXISTS reader_of_places")
    superuser.execute("CREATE ROLE reader_of_places")
    for statement in (
        "GRANT SELECT ON geo.places TO reader_of_places WITH GRANT OPTION",
        "GRANT UPDATE (name) ON geo.places TO PUBLIC",
        "COMMENT ON TABLE geo.places IS 'Ask Ann.\nSource: old.gpkg'",
        "COMMENT ON COLUMN geo.places.people IS 'Counted by hand.'",
        "CREATE VIEW geo.big AS SELECT id, name, ST_X(geom) AS x FROM geo.places WHERE people > 1",
        "CREATE VIEW geo.bigger WITH (security_barrier) AS SELECT upper(name) AS name FROM geo.big",
        "COMMENT ON VIEW geo.big IS 'The big ones.'",
        "GRANT SELECT ON geo.bigger TO reader_of_places",
    ):
        database.execute(statement)

    _publish(vectors, tmp_path, "load_2", replace=True)

    def asked(query: str) -> list[DictRow]:
        return database.fetch_all(query)  # type: ignore[arg-type]

    assert asked(
        "SELECT has_table_privilege('reader_of_places', 'geo.places', 'SELECT WITH GRANT OPTION') AS may, "
        "has_column_privilege('reader_of_places', 'geo.places', 'name', 'UPDATE') AS may_update, "
        "has_table_privilege('reader_of_places', 'geo.bigger', 'SELECT') AS may_view"
    ) == [{"may": True, "may_update": True, "may_view": True}]
    found = vectors.reader.describe(TARGET)
    assert found is not None
    assert found.comment == "Ask Ann.\nSource: places.gpkg"
    assert {column.name: column.comment for column in found.columns} == {
        "id": None,
        "geom": None,
        "name": "Source column: Name",
        "people": "Counted by hand.",
    }
    assert asked("SELECT name FROM geo.bigger") == [{"name": None}]
    assert asked("SELECT obj_description('geo.big'::regclass) AS comment") == [{"comment": "The big ones."}]
    assert asked("SELECT reloptions FROM pg_class WHERE oid = 'geo.bigger'::regclass") == [
        {"reloptions": ["security_barrier=true"]}
    ]


def test_a_new_table_gets_the_default_privileges_of_its_schema(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    database.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA geo GRANT SELECT ON TABLES TO PUBLIC")

    _publish(vectors, tmp_path)

    row = database.fetch_one("SELECT relacl::text AS acl FROM pg_class WHERE oid = 'geo.places'::regclass")
    assert row is not None
    assert "=r/terrane_app" in row["acl"].strip("{}").split(",")


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (
            ["CREATE MATERIALIZED VIEW geo.copied AS SELECT * FROM geo.places"],
            "the materialized view geo.copied reads it",
        ),
        (
            ["CREATE TABLE geo.visits (place bigint REFERENCES geo.places)"],
            "the table geo.visits refers to it or inherits from it",
        ),
        (["CREATE POLICY few ON geo.places USING (people > 1)"], "policy few"),
        (["ALTER TABLE geo.places ENABLE ROW LEVEL SECURITY"], "row-level security"),
        (
            ["ALTER TABLE geo.places ADD CONSTRAINT not_fewer CHECK (people >= 0)"],
            "check constraint not_fewer",
        ),
        (
            [
                "CREATE VIEW geo.names AS SELECT name FROM geo.places",
                "ALTER VIEW geo.names ALTER COLUMN name SET DEFAULT 'nobody'",
            ],
            "the view geo.names has default of column name",
        ),
        (
            [
                "CREATE FUNCTION geo.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
                "CREATE TRIGGER noted BEFORE INSERT ON geo.places FOR EACH ROW EXECUTE FUNCTION geo.f()",
            ],
            "trigger noted",
        ),
        (
            [
                "CREATE FUNCTION geo.g() RETURNS bigint LANGUAGE sql "
                "BEGIN ATOMIC SELECT count(*) FROM geo.places; END"
            ],
            "geo.g",
        ),
    ],
)
def test_what_cannot_be_kept_refuses_the_replacement(
    vectors: Vectors, database: Database, tmp_path: Path, statements: list[Any], named: str
) -> None:
    _publish(vectors, tmp_path)
    for statement in statements:
        database.execute(statement)

    with pytest.raises(Conflict) as caught:
        _publish(vectors, tmp_path, "load_2", replace=True)

    assert caught.value.code == codes.TABLE_DEPENDENTS
    assert named in caught.value.message
    assert vectors.reader.count_rows(TARGET) == 3


def test_a_view_that_reads_a_column_which_is_no_more_refuses_the_replacement(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    _publish(vectors, tmp_path)
    database.execute("CREATE VIEW geo.names AS SELECT name FROM geo.places")
    staged = TableName("vector_staging", "load_2")
    vectors.create(staged, NewTable([], "Point", 4326))

    with pytest.raises(Conflict) as caught:
        vectors.publish(staged, replace=True)

    assert caught.value.code == codes.TABLE_DEPENDENTS
    assert "geo.names" in caught.value.message
    assert "name" in caught.value.message
    assert vectors.reader.count_rows(TARGET) == 3


def test_an_index_that_a_person_made_is_told_of_when_it_goes(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    _publish(vectors, tmp_path)
    database.execute("CREATE INDEX by_people ON geo.places (people)")
    # Ends as ours do.
    database.execute("CREATE INDEX by_name_20240101 ON geo.places (name)")
    database.execute("CREATE STATISTICS geo.of_both ON name, people FROM geo.places")

    left = _publish(vectors, tmp_path, "load_2", replace=True)

    assert left == ["by_name_20240101", "by_people", "of_both"]


def test_a_view_of_another_role_refuses_the_replacement_and_says_why(
    vectors: Vectors, superuser: psycopg.Connection[DictRow], tmp_path: Path
) -> None:
    _publish(vectors, tmp_path)
    superuser.execute("CREATE VIEW geo.theirs AS SELECT name FROM geo.places")

    with pytest.raises(Conflict) as caught:
        _publish(vectors, tmp_path, "load_2", replace=True)

    assert "the view geo.theirs belongs to another role" in caught.value.message


@pytest.mark.parametrize("replace", [True, False])
def test_a_name_that_a_type_has_is_taken(
    vectors: Vectors, superuser: psycopg.Connection[DictRow], tmp_path: Path, replace: bool
) -> None:
    superuser.execute("CREATE DOMAIN geo.places AS integer")

    with pytest.raises(Conflict) as caught:
        _publish(vectors, tmp_path, replace=replace)

    assert (caught.value.code, caught.value.message) == (
        codes.TABLE_FOREIGN,
        "There is a type geo.places, and tables make one of their own name.",
    )


def test_what_another_role_owns_is_neither_replaced_nor_dropped_nor_moved(
    vectors: Vectors, superuser: psycopg.Connection[DictRow], tmp_path: Path
) -> None:
    superuser.execute("CREATE TABLE geo.places (id bigint)")

    with pytest.raises(Conflict) as replaced:
        _publish(vectors, tmp_path, replace=True)
    with pytest.raises(Conflict) as dropped, vectors.transaction() as tables:
        tables.drop(TARGET)
    with pytest.raises(Conflict) as moved, vectors.transaction() as tables:
        tables.move(TARGET, STAGED)

    caught = (replaced, dropped, moved)
    assert {error.value.code for error in caught} == {codes.TABLE_FOREIGN}
    found = vectors.reader.describe(TARGET)
    assert found is not None
    assert not found.owned


def test_views_keep_a_table_from_being_dropped_unless_they_may_go(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    _publish(vectors, tmp_path)
    database.execute("CREATE VIEW geo.names AS SELECT name FROM geo.places")
    database.execute("CREATE MATERIALIZED VIEW geo.copied AS SELECT * FROM geo.names")

    with pytest.raises(Conflict) as caught, vectors.transaction() as tables:
        tables.drop(TARGET)
    before = [(str(one.table), one.kind) for one in vectors.reader.dependents(TARGET)]
    with vectors.transaction() as tables:
        tables.drop(TARGET, cascade=True)

    assert caught.value.code == codes.TABLE_DEPENDENTS
    assert "geo.names" in caught.value.message
    assert before == [("geo.names", "view"), ("geo.copied", "materialized view")]
    assert vectors.reader.describe(TableName("geo", "copied")) is None


def test_a_table_moves_with_its_indexes_privileges_and_comments(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    _publish(vectors, tmp_path)
    database.execute("GRANT SELECT ON geo.places TO PUBLIC")
    query = (
        "SELECT relacl::text, obj_description(oid) AS comment, "
        "(SELECT array_agg(indexrelid::regclass::text) FROM pg_index WHERE indrelid = c.oid) AS indexes "
        "FROM pg_class AS c WHERE relname = 'places'"
    )
    before = database.fetch_one(query)
    trash = TableName("vector_staging", "trash_1")

    for _ in range(2):
        # The second round finds the traces of the first in neither schema.
        with vectors.transaction() as tables:
            tables.move(TARGET, trash)
        with vectors.transaction() as tables:
            tables.move(trash, TARGET)

    assert before is not None
    assert database.fetch_one(query) == before


def test_two_histories_of_one_table_lie_in_one_schema(vectors: Vectors, tmp_path: Path) -> None:
    for number in (1, 2):
        _publish(vectors, tmp_path, f"load_{number}")
        with vectors.transaction() as tables:
            tables.move(TARGET, TableName("vector_staging", f"trash_{number}"))

    assert vectors.reader.count_rows(TableName("vector_staging", "trash_2")) == 3


@pytest.mark.parametrize("name", ['we"ird', "sp ace", "SELECT", "o'clock; DROP TABLE x", "ünïcode"])
def test_names_are_only_names(vectors: Vectors, database: Database, tmp_path: Path, name: str) -> None:
    column = TableColumn(name, "text", name)
    vectors.create(definition=NewTable([column], "Point", 4326, comment=name))
    chunk = write_chunk(tmp_path / "c.parquet", [shapely.Point(0, 0)], {name: pa.array([name])})

    vectors.load(chunk)
    vectors.publish(table=TableName("geo", name), replace=False)

    found = vectors.reader.describe(TableName("geo", name))
    assert found is not None
    assert (found.comment, found.columns[2].name, found.columns[2].comment) == (name, name, name)


def test_a_second_load_of_a_chunk_waits_for_the_first(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    vectors.create()
    chunk = place_chunk(tmp_path)

    def load_again() -> None:
        with database.transaction() as connection:
            connection.execute("SET LOCAL lock_timeout = '200ms'")
            PostgisVectorTransaction(connection).load(STAGED, chunk)

    with vectors.transaction() as overtaken:
        # Its rows are in the table, and it has not ended yet.
        overtaken.load(STAGED, chunk)
        with pytest.raises(TransientError) as caught:
            load_again()

    assert "lock timeout" in caught.value.message
    assert vectors.load(chunk).replaced == 3


def test_a_table_that_readers_hold_is_given_up_soon(
    vectors: Vectors, database: Database, tmp_path: Path
) -> None:
    _publish(vectors, tmp_path)
    with database.transaction() as reader:
        reader.execute("LOCK TABLE geo.places IN ACCESS SHARE MODE")

        with pytest.raises(TransientError):
            _publish(vectors, tmp_path, "load_2", replace=True)

    assert vectors.reader.count_rows(TARGET) == 3
