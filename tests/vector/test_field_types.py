"""Types of fields by format, as the reference lists them."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from tests.vector.desk import Desk, collection, feature

POINT = "POINT (1 2)"
COLUMNS = {
    "i16": pa.array([1, None], pa.int16()),
    "i32": pa.array([70_000, None], pa.int32()),
    "i64": pa.array([2**52, None], pa.int64()),
    "f32": pa.array([0.5, None], pa.float32()),
    "f64": pa.array([0.1, None], pa.float64()),
    "b": pa.array([True, None]),
    "s": pa.array(["x", None]),
    "day": pa.array([date(2020, 1, 1), None]),
    "t": pa.array([1_577_872_800_000, None], pa.timestamp("ms")),
    "clock": pa.array([time(10, 30), None], pa.time32("ms")),
}
SHAPEFILE = {
    "i16": "integer",
    "i32": "integer",
    "i64": "bigint",
    "f32": "double precision",
    "f64": "double precision",
}
SHAPEFILE |= {"b": "boolean", "s": "text", "day": "date"}
GEODATABASE = {"i16": "smallint", "i32": "integer", "f32": "real", "f64": "double precision", "s": "text"}
MAPINFO = {
    "i16": "integer",
    "i32": "integer",
    "f64": "double precision",
    "b": "boolean",
    "s": "text",
    "day": "date",
}
MAPINFO |= {"t": "timestamp", "clock": "time"}
FLATGEOBUF = {"i16": "smallint", "i32": "integer", "i64": "bigint", "f32": "real", "f64": "double precision"}
FLATGEOBUF |= {"b": "boolean", "s": "text", "t": "timestamp"}
NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)
NAMES = pa.struct({"all": pa.map_(pa.string(), pa.string())})
# Of GeoParquet: the values, the column and what becomes of the first value.
PARQUET: dict[str, tuple[pa.Array, str, Any]] = {
    "i8": (pa.array([1, None], pa.int8()), "smallint", 1),
    "u8": (pa.array([200, None], pa.uint8()), "smallint", 200),
    "u16": (pa.array([60_000, None], pa.uint16()), "integer", 60_000),
    "u32": (pa.array([4_000_000_000, None], pa.uint32()), "bigint", 4_000_000_000),
    "u64": (pa.array([2**64 - 1, None], pa.uint64()), "numeric", Decimal(2**64 - 1)),
    "money": (pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)), "numeric", Decimal("1.50")),
    "wide": (pa.array([Decimal("1.50"), None], pa.decimal256(50, 2)), "numeric", Decimal("1.50")),
    "f16": (pa.array(np.array([0.5, 1], np.float16)), "real", 0.5),
    "stamp": (pa.array([1_000, None], pa.timestamp("ns")), "timestamp", datetime(1970, 1, 1, 0, 0, 0, 1)),  # noqa: DTZ001 - without a zone
    "rome": (pa.array([NOON, None], pa.timestamp("ms", "Europe/Rome")), "timestamptz", NOON),
    "lasted": (pa.array([1_500, None], pa.duration("ms")), "bigint", 1_500_000),
    "clock": (pa.array([time(10, 30), None], pa.time64("us")), "time", time(10, 30)),
    "raw": (pa.array([b"\0", None], pa.binary()), "bytea", b"\0"),
    "kinds": (pa.array(["a", None]).dictionary_encode(), "text", "a"),
    "integers": (pa.array([[1, 2], None]), "bigint[]", [1, 2]),
    "numbers": (pa.array([[0.5], None]), "double precision[]", [0.5]),
    "flags": (pa.array([[True], None]), "boolean[]", [True]),
    "words": (pa.array([["a", "b"], None]), "text[]", ["a", "b"]),
    "nested": (pa.array([[[1]], None]), "jsonb", "[[1]]"),
    "struct": (pa.array([{"a": 1}, None]), "jsonb", '{"a": 1}'),
    "names": (pa.array([{"all": [("en", "x")]}, None], NAMES), "jsonb", '{"all": {"en": "x"}}'),
    "counts": (pa.array([[(1, 2)], None], pa.map_(pa.int64(), pa.int64())), "jsonb", "[[1, 2]]"),
    "uuid": (pa.array([UUID(int=5).bytes, None], pa.binary(16)).cast(pa.uuid()), "text", str(UUID(int=5))),
    "nothing": (pa.nulls(2), "text", None),
}
KML = """<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Schema name="s" id="s">
<SimpleField name="n" type="int"/><SimpleField name="x" type="double"/><SimpleField name="b" type="bool"/>
</Schema><Placemark><TimeSpan><begin>2020-01-01T12:00:00Z</begin><end>2020-02</end></TimeSpan><ExtendedData>
<SchemaData schemaUrl="#s"><SimpleData name="n">7</SimpleData><SimpleData name="x">0.5</SimpleData>
<SimpleData name="b">true</SimpleData></SchemaData></ExtendedData>
<Point><coordinates>1,2</coordinates></Point></Placemark></Document></kml>"""


def prepared(desk: Desk, name: str, driver: str, types: dict[str, str], extension: str) -> dict[str, str]:
    folder = desk.workspace / "f"
    folder.mkdir()
    columns = {key: COLUMNS[key] for key in types}
    desk.write_layer(f"f/{name}", [POINT, POINT], columns, driver=driver, geometry_type="Point")
    desk.zip("a.zip", folder.iterdir())
    outcome = desk.prepare("a.zip", extension)
    assert [outcome.column(key)[0] for key in types] == [COLUMNS[key][0].as_py() for key in types]
    return outcome.types


@pytest.mark.parametrize(
    ("name", "driver", "types", "extension"),
    [
        ("a.shp", "ESRI Shapefile", SHAPEFILE, "shp"),
        ("a.gdb", "OpenFileGDB", GEODATABASE, "gdb"),
        ("a.tab", "MapInfo File", MAPINFO, "tab"),
        ("a.mif", "MapInfo File", MAPINFO, "zip"),
        ("a.fgb", "FlatGeobuf", FLATGEOBUF, "zip"),
    ],
)
def test_types_are_kept_as_far_as_the_format_holds_them(
    desk: Desk, name: str, driver: str, types: dict[str, str], extension: str
) -> None:
    assert prepared(desk, name, driver, types, extension) == types


def first_row(desk: Desk, name: str, types: Mapping[str, str], **options: Any) -> dict[str, Any]:
    outcome = desk.prepare(name, **options)
    assert {key: outcome.types[key] for key in types} == types
    return {key: outcome.column(key)[0] for key in types}


def test_types_of_a_geopackage(desk: Desk) -> None:
    columns = {key: COLUMNS[key] for key in ("i16", "i32", "i64", "f32", "f64", "b", "s", "day")}
    columns |= {
        "at": pa.array([NOON, None], pa.timestamp("ms", "UTC")),
        "raw": pa.array([b"\0", None], pa.binary()),
        "doc": pa.array(['{"a": 1}', None]),
    }
    path = desk.write_layer("a.gpkg", [POINT, POINT], columns, driver="GPKG")
    declare_json(path, "a", "doc")

    types = {"i16": "smallint", "i32": "integer", "i64": "bigint", "f32": "real", "f64": "double precision"}
    types |= {"b": "boolean", "s": "text", "day": "date", "at": "timestamptz", "raw": "bytea", "doc": "jsonb"}
    assert first_row(desk, "a.gpkg", types) == {key: columns[key][0].as_py() for key in types}


def declare_json(path: Path, table: str, column: str) -> None:
    """Say by the schema extension of GeoPackage that a column of text holds JSON."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE gpkg_data_columns (table_name TEXT, column_name TEXT, name TEXT, title TEXT,"
            " description TEXT, mime_type TEXT, constraint_name TEXT)"
        )
        connection.execute(
            "INSERT INTO gpkg_data_columns (table_name, column_name, mime_type) VALUES (?, ?, ?)",
            (table, column, "application/json"),
        )


def test_newer_types_of_a_geodatabase(desk: Desk) -> None:
    columns = {key: COLUMNS[key] for key in ("i64", "day", "clock")}
    columns["raw"] = pa.array([b"\0", None], pa.binary())
    desk.write_layer(
        "a.gdb",
        [POINT, POINT],
        columns,
        driver="OpenFileGDB",
        geometry_type="Point",
        TARGET_ARCGIS_VERSION="ARCGIS_PRO_3_2_OR_LATER",
    )
    desk.zip("a.zip", [desk.workspace / "a.gdb"])

    types = {"i64": "bigint", "day": "date", "clock": "time", "raw": "bytea"}
    assert first_row(desk, "a.zip", types) == {key: columns[key][0].as_py() for key in types}


def test_unsigned_integers_and_bytes_of_flatgeobuf(desk: Desk) -> None:
    columns = {key: PARQUET[key][0] for key in ("u8", "u16", "u32", "raw")}
    desk.write_layer("a.fgb", [POINT, POINT], columns, driver="FlatGeobuf", geometry_type="Point")

    types = {key: PARQUET[key][1] for key in columns}
    assert first_row(desk, "a.fgb", types) == {key: PARQUET[key][2] for key in columns}


@pytest.mark.parametrize("extension", ["geojson", "topojson"])
def test_types_of_json(desk: Desk, extension: str) -> None:
    values = {"i32": 70_000, "i64": 2**52, "f64": 0.1, "b": True, "s": "x", "day": "2020-01-01"}
    values |= {"naive": "2020-01-01T12:00:00", "zoned": "2020-01-01T14:00:00+02:00", "doc": {"a": 1}}
    content = collection(feature(POINT, **values))
    if extension == "topojson":
        point = {"type": "Point", "coordinates": [1, 2], "properties": values}
        content = json.dumps({"type": "Topology", "objects": {"a": point}, "arcs": []})
    desk.write(f"a.{extension}", content)

    types = {"i32": "integer", "i64": "bigint", "f64": "double precision", "b": "boolean", "s": "text"}
    types |= {"day": "date", "naive": "timestamp", "zoned": "timestamptz", "doc": "jsonb"}
    row = first_row(desk, f"a.{extension}", types)
    row["doc"] = json.loads(row["doc"])
    assert row == values | {"day": date(2020, 1, 1), "naive": NOON.replace(tzinfo=None), "zoned": NOON}


def test_typed_data_and_spans_of_kml(desk: Desk) -> None:
    desk.write("a.kml", KML)

    types = {"begin": "timestamptz", "f_end": "timestamptz", "n": "integer"}
    types |= {"x": "double precision", "b": "boolean"}
    end = datetime(2020, 2, 1, tzinfo=UTC)
    assert first_row(desk, "a.kml", types) == {"begin": NOON, "f_end": end, "n": 7, "x": 0.5, "b": True}


@pytest.mark.parametrize("name", PARQUET)
def test_types_of_geoparquet(desk: Desk, name: str) -> None:
    values, kind, first = PARQUET[name]
    wkb = pa.array([shapely.to_wkb(shapely.from_wkt(POINT))] * 2, pa.binary())
    geo = {
        "version": "1.1.0",
        "primary_column": "g",
        "columns": {"g": {"encoding": "WKB", "geometry_types": []}},
    }
    table = pa.table({name: values, "g": wkb}).replace_schema_metadata({"geo": json.dumps(geo)})
    pq.write_table(table, desk.workspace / "a.parquet")

    outcome = desk.prepare("a.parquet")

    assert list(outcome.types.values()) == [kind]
    assert outcome.column(outcome.result.columns[0].name)[0] == first


def test_dates_of_shapefiles_that_are_none_become_null_and_are_told(desk: Desk) -> None:
    days = {"first": pa.array([date(1970, 1, 1)] * 4), "n": [1] * 4, "last": pa.array([date(2020, 5, 4)] * 4)}
    folder = desk.workspace / "s"
    folder.mkdir()
    desk.write_layer("s/a.shp", [POINT] * 4, days, driver="ESRI Shapefile", geometry_type="Point")
    table = (folder / "a.dbf").read_bytes()
    (folder / "a.dbf").write_bytes(
        table.replace(b"20200504", b"19950000", 2).replace(b"19950000", b"        ", 1)
    )
    desk.zip("a.zip", folder.iterdir())

    outcome = desk.prepare("a.zip")

    assert outcome.column("first") == [date(1970, 1, 1)] * 4
    assert outcome.column("last") == [None, None, date(2020, 5, 4), date(2020, 5, 4)]
    messages = [each.message for each in outcome.result.findings]
    assert messages == ["1 values of 'last' are not of the column's type and became NULL"]
