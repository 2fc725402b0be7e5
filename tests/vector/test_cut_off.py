"""Files that were cut off, in every format: refused, never read as if they were whole."""

import shutil
from pathlib import Path

import geopandas
import pyarrow as pa
import pytest
import shapely

from core.errors import TaskFailed
from tests.vector.desk import Desk

ROWS = 200
BOXES = [shapely.to_wkb(shapely.box(n / 10, 0, n / 10 + 0.1, 1)) for n in range(ROWS)]
COLUMNS = {"n": pa.array(range(ROWS), pa.int32()), "s": pa.array(["some text"] * ROWS)}
WORDS = {"vector.truncated", "vector.unreadable", "vector.empty", "vector.unsupported_format"}


def cut(path: Path, keep: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


@pytest.mark.parametrize("keep", [0.05, 0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    ("name", "driver"), [("a.fgb", "FlatGeobuf"), ("a.gpkg", "GPKG"), ("a.geojson", "GeoJSON")]
)
def test_a_file_that_was_cut_off_is_refused(desk: Desk, name: str, driver: str, keep: float) -> None:
    cut(desk.write_layer(name, BOXES, COLUMNS, driver=driver, geometry_type="Polygon"), keep)

    assert desk.refusal(name).code.code in WORDS


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.99])
def test_parquet_that_was_cut_off_is_refused(desk: Desk, keep: float) -> None:
    frame = geopandas.GeoDataFrame({"n": range(ROWS)}, geometry=shapely.from_wkb(BOXES), crs="EPSG:4326")
    frame.to_parquet(desk.workspace / "a.parquet")
    cut(desk.workspace / "a.parquet", keep)

    assert desk.refusal("a.parquet").code.code in WORDS


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    ("driver", "part", "extension"),
    [
        ("ESRI Shapefile", "a.shp", "shp"),
        ("ESRI Shapefile", "a.shx", "shp"),
        ("ESRI Shapefile", "a.dbf", "shp"),
        ("MapInfo File", "a.dat", "tab"),
        ("MapInfo File", "a.id", "tab"),
        ("MapInfo File", "a.map", "tab"),
    ],
)
def test_a_part_that_was_cut_off_is_refused(
    desk: Desk, driver: str, part: str, extension: str, keep: float
) -> None:
    folder = desk.workspace / "f"
    folder.mkdir()
    desk.write_layer(f"f/a.{extension}", BOXES, COLUMNS, driver=driver, geometry_type="Polygon")
    cut(folder / part, keep)
    desk.zip("a.zip", folder.iterdir())

    error = desk.refusal("a.zip", extension)

    assert error.code.code == "vector.truncated"
    assert error.message.startswith(f"{part} has ")


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_a_geodatabase_that_was_cut_off_is_never_read_in_part(desk: Desk, keep: float) -> None:
    whole = desk.write_layer("a.gdb", BOXES, COLUMNS, driver="OpenFileGDB", geometry_type="Polygon")
    for number, part in enumerate(sorted(whole.iterdir())):
        shutil.rmtree(desk.workspace / "b.gdb", ignore_errors=True)
        shutil.copytree(whole, desk.workspace / "b.gdb")
        cut(desk.workspace / "b.gdb" / part.name, keep)
        desk.zip(f"{number}.zip", [desk.workspace / "b.gdb"])

        try:
            outcome = desk.prepare(f"{number}.zip", "gdb")
        except TaskFailed as error:
            assert error.code.code in {*WORDS, "vector.crs_missing", "vector.not_spatial"}  # noqa: PT017 - not every cut is refused
        else:
            assert outcome.column("n") == list(range(ROWS))


def test_a_shapefile_with_a_deleted_record_is_whole(desk: Desk) -> None:
    folder = desk.workspace / "f"
    folder.mkdir()
    desk.write_layer("f/a.shp", BOXES, COLUMNS, driver="ESRI Shapefile", geometry_type="Polygon")
    table = bytearray((folder / "a.dbf").read_bytes())
    start, record = int.from_bytes(table[8:10], "little"), int.from_bytes(table[10:12], "little")
    table[start + 3 * record] = ord("*")
    (folder / "a.dbf").write_bytes(table)
    desk.zip("a.zip", folder.iterdir())

    assert desk.prepare("a.zip", "shp").column("n") == [0, 1, 2, *range(4, ROWS)]
