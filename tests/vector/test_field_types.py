"""Types of fields by format, as the reference lists them."""

from datetime import date, time

import pyarrow as pa
import pytest

from tests.vector.desk import Desk

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
GEODATABASE |= {"t": "timestamp"}
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
