"""Files that are refused: the code, what the reader is told, and that nothing else was read."""

import contextlib
import json
import sqlite3
import stat
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import TaskFailed
from tests.vector.desk import SQUARE, Desk, collection, feature

HIDDEN = "The secret of another file"


def shapefile(desk: Desk, name: str = "a", folder: str = "s", **options: str) -> Path:
    (desk.workspace / folder).mkdir(exist_ok=True)
    desk.write_layer(
        f"{folder}/{name}.shp",
        [SQUARE],
        {"v": [1]},
        driver="ESRI Shapefile",
        geometry_type="Polygon",
        **options,
    )
    return desk.workspace / folder


def mapinfo(desk: Desk) -> Path:
    (desk.workspace / "t").mkdir()
    desk.write_layer("t/a.tab", ["POINT (1 2)"], {"v": [1]}, driver="MapInfo File")
    return desk.workspace / "t"


@pytest.mark.parametrize("part", [".dbf", ".shx"])
def test_a_shapefile_without_a_part_is_refused(desk: Desk, part: str) -> None:
    folder = shapefile(desk)
    (folder / f"a{part}").unlink()
    desk.zip("a.zip", folder.iterdir())

    error = desk.refusal("a.zip", "shp")

    assert (error.code.code, error.message) == ("vector.part_missing", f"a.shp has no {part} beside it")


def test_a_shapefile_without_a_prj_needs_a_crs(desk: Desk) -> None:
    folder = shapefile(desk)
    (folder / "a.prj").unlink()
    desk.zip("a.zip", folder.iterdir())

    error = desk.refusal("a.zip")

    assert (error.code.code, error.message) == (
        "vector.crs_missing",
        "the file names no coordinate reference system",
    )
    assert "input_crs" in error.code.remedy
    outcome = desk.prepare("a.zip", input_crs="EPSG:3857")
    assert (outcome.result.source_crs, outcome.result.crs_source) == ("EPSG:3857", "input_crs")


def test_a_damaged_prj_is_refused_by_what_it_is(desk: Desk) -> None:
    folder = shapefile(desk)
    projection = (folder / "a.prj").read_bytes()
    (folder / "a.prj").write_bytes(projection.replace(b"WGS", b"W\xa8S", 1))
    desk.zip("a.zip", folder.iterdir())

    error = desk.refusal("a.zip")

    assert error.code.code == "vector.crs_unknown"
    assert error.message == "a.shp: its coordinate reference system cannot be read"
    assert "without its .prj" in error.code.remedy


def test_endings_in_capitals_are_the_same(desk: Desk) -> None:
    folder = shapefile(desk)
    for path in list(folder.iterdir()):
        path.rename(path.with_name(path.name.upper()))
    desk.zip("a.zip", folder.iterdir())

    assert desk.prepare("a.zip").wkt == [SQUARE]


def test_two_shapefiles_are_listed_and_one_can_be_named(desk: Desk) -> None:
    shapefile(desk)
    desk.zip("a.zip", shapefile(desk, "b").iterdir(), prefix="data/")

    error = desk.refusal("a.zip")

    assert (error.code.code, error.message) == ("vector.zip_ambiguous", "a.zip holds data/a.shp, data/b.shp")
    assert "shp_name" in error.code.remedy
    assert desk.prepare("a.zip", converter={"shp_name": "b"}).result.layers[0].name == "b"


def test_a_loose_shapefile_is_refused_with_the_reason(desk: Desk) -> None:
    shapefile(desk)
    (desk.workspace / "s/a.shp").rename(desk.workspace / "a.shp")

    error = desk.refusal("a.shp")

    assert (error.code.code, error.message) == (
        "vector.shapefile_loose",
        "a.shp came without its .shx, .dbf and .prj",
    )


def test_an_archive_without_data_is_refused_with_what_it_has(desk: Desk) -> None:
    desk.zip("a.zip", [desk.write("readme.txt", "hello"), desk.write("__MACOSX/._a.shp", b"\x00")])

    error = desk.refusal("a.zip")

    assert (error.code.code, error.message) == ("vector.zip_without_data", "a.zip holds readme.txt")


def test_litter_of_other_systems_is_not_read(desk: Desk) -> None:
    folder = shapefile(desk)
    files = [*folder.iterdir(), desk.write("__MACOSX/._a.shp", b"\x00\x05\x16\x07")]
    desk.zip("a.zip", files)

    assert desk.prepare("a.zip").wkt == [SQUARE]


@pytest.mark.parametrize("name", ["../../escape.geojson", "/var/escape.geojson"])
def test_a_path_that_leads_out_of_an_archive_is_refused(desk: Desk, name: str) -> None:
    with zipfile.ZipFile(desk.workspace / "a.zip", "w") as opened:
        opened.writestr(name, collection(feature("POINT (1 2)")))

    error = desk.refusal("a.zip")

    assert error.code.code == "vector.zip_unsafe"
    assert error.message == f"a.zip: {name!r} leads out of the archive"
    assert not list(desk.workspace.parent.rglob("escape.geojson"))


def test_a_link_in_an_archive_is_refused(desk: Desk) -> None:
    link = zipfile.ZipInfo("a.geojson")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(desk.workspace / "a.zip", "w") as opened:
        opened.writestr(link, "/etc/passwd")

    assert desk.refusal("a.zip").message == "a.zip: 'a.geojson' is a link or a device"


def test_a_bomb_is_refused_before_it_is_unpacked(desk: Desk) -> None:
    with zipfile.ZipFile(desk.workspace / "a.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.csv", bytes(100 * 1024 * 1024))

    error = desk.refusal("a.zip")

    assert error.code.code == "vector.zip_unsafe"
    assert "times when unpacked, as bombs do" in error.message
    assert not (desk.workspace / "unpacked").exists()


def test_an_archive_in_an_archive_is_refused(desk: Desk) -> None:
    inner = desk.zip("inner.zip", [desk.write("a.geojson", collection(feature("POINT (1 2)")))])
    desk.zip("a.zip", [inner])

    assert desk.refusal("a.zip").message == "a.zip: 'inner.zip' is an archive within the archive"


@pytest.mark.parametrize(
    ("name", "extension", "content", "message"),
    [
        ("a.geojson", "geojson", b"PK\x03\x04", "a.geojson was submitted as geojson and is a ZIP archive"),
        ("a.gpkg", "gpkg", b"lat,lon\n1,2\n", "a.gpkg was submitted as gpkg and holds text, at best CSV"),
        ("a.csv", "csv", b"SQLite format 3\x00", "a.csv was submitted as csv and holds GPKG"),
        ("a.zip", "zip", b'{"type": "Point"}', "a.zip was submitted as zip and is GeoJSON, not an archive"),
        ("a.kmz", "kmz", b"<kml></kml>", "a.kmz was submitted as kmz and is LIBKML, not an archive"),
        ("a.kml", "kml", b"<gpx></gpx>", "a.kml was submitted as kml and holds GPX"),
    ],
)
def test_content_that_is_not_what_the_extension_says_is_refused(
    desk: Desk, name: str, extension: str, content: bytes, message: str
) -> None:
    desk.write(name, content)

    error = desk.refusal(name, extension)

    assert (error.code.code, error.message) == ("vector.content_mismatch", message)


def test_kml_of_links_alone_is_refused_and_beside_features_they_are_told(desk: Desk) -> None:
    link = "<NetworkLink><Link><href>http://localhost:9/x.kml</href></Link></NetworkLink>"
    place = "<Placemark><Point><coordinates>1,2</coordinates></Point></Placemark>"
    desk.write("a.kml", f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{link}</Document></kml>')

    error = desk.refusal("a.kml")

    assert error.code.code == "vector.network_links"
    assert error.message == "a.kml holds 1 link and no features of its own"
    desk.write(
        "b.kml", f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{link}{place}</Document></kml>'
    )
    outcome = desk.prepare("b.kml")
    assert outcome.wkt == ["POINT (1 2)"]
    assert "vector.network_links" in outcome.codes


@pytest.mark.parametrize(
    "text",
    [
        '!table\n!version 300\n\nOpen Table "other.tab" Hide\ncreate view x as Select * from other\n',
        '!table\n!version 100\n\nDefinition Table\n  Type NATIVE Charset "Neutral"\n'
        '  Fields 1\n    T Char (60) ;\nbegin_metadata\n"\\IsSeamless" = "TRUE"\nend_metadata\n',
        '!table\n!version 300\n\nDefinition Table\n  File "other.tif"\n  Type "RASTER"\n',
        '!table\n!version 300\n\nDefinition Table\n  Type LINKED Charset "Neutral"\n',
    ],
)
def test_a_table_that_names_another_file_is_refused(desk: Desk, text: str) -> None:
    folder = mapinfo(desk)
    (folder / "a.tab").rename(folder / "other.tab")
    (folder / "a.tab").write_text(text)
    (folder / "other.dat").write_bytes((folder / "a.dat").read_bytes())
    files = [path for path in folder.iterdir() if path.name != "other.tab"]
    desk.zip("a.zip", files)

    error = desk.refusal("a.zip", "tab")

    assert error.code.code == "vector.external_reference"
    assert error.message.startswith("a.tab names other tables")


def test_a_loose_table_is_refused(desk: Desk) -> None:
    (mapinfo(desk) / "a.tab").rename(desk.workspace / "a.tab")

    assert desk.refusal("a.tab").message == "a.tab has no .dat beside it"


@pytest.mark.parametrize("archive", [False, True])
def test_an_interchange_file_without_its_data_is_refused(desk: Desk, archive: bool) -> None:
    path = desk.write_layer("a.mif", ["POINT (1 2)"], {"v": [1]}, driver="MapInfo File")
    path.with_suffix(".mid").unlink()
    if archive:
        desk.zip("a.zip", [path])

    error = desk.refusal("a.zip" if archive else "a.mif", "mif")

    assert (error.code.code, error.message) == ("vector.part_missing", "a.mif has no .mid beside it")


def test_five_thousand_columns_are_refused(desk: Desk) -> None:
    desk.write("a.csv", "lat,lon," + ",".join(f"c{n}" for n in range(5_000)) + "\n" + "1," * 5_001 + "1\n")

    error = desk.refusal("a.csv")

    assert error.code.code == "vector.columns_too_many"
    assert error.message == "the file has 5,002 columns, a table can have 1,590"


def test_rows_wider_than_a_page_are_refused(desk: Desk) -> None:
    desk.write("a.csv", "lat,lon," + ",".join(f"c{n}" for n in range(1_200)) + "\n" + "1," * 1_201 + "1\n")

    error = desk.refusal("a.csv")

    assert error.code.code == "vector.columns_too_many"
    assert "a table has room for 8,000" in error.message


def test_a_geopackage_without_features_or_geometries_is_refused(desk: Desk) -> None:
    desk.write_layer("a.gpkg", [], {"v": pa.array([], pa.int32())}, driver="GPKG", layer="nothing")
    assert desk.refusal("a.gpkg").message == "the file has 'nothing' (Unknown, 0 features)"

    desk.write_layer("b.gpkg", [None, None], {"v": [1, 2]}, driver="GPKG", layer="nowhere")
    error = desk.refusal("b.gpkg")
    assert (error.code.code, error.message) == (
        "vector.geometries_missing",
        "none of the 2 features has a usable geometry",
    )


def test_a_damaged_geopackage_is_unreadable(desk: Desk) -> None:
    path = desk.write_layer("a.gpkg", [SQUARE] * 5_000, {"v": list(range(5_000))}, driver="GPKG")
    path.write_bytes(path.read_bytes()[:20_000])

    error = desk.refusal("a.gpkg")

    assert error.code.code in ("vector.unreadable", "vector.truncated")
    assert str(desk.workspace) not in error.message


def test_a_database_that_is_no_geopackage_is_unreadable(desk: Desk) -> None:
    with sqlite3.connect(desk.workspace / "a.gpkg") as database:
        database.execute("CREATE TABLE x (a)")
    database.close()

    error = desk.refusal("a.gpkg")

    assert error.code.code in ("vector.unreadable", "vector.empty")


@pytest.mark.parametrize(
    "expression",
    [
        "readfile('secret.txt')",
        "load_extension('secret.txt')",
        "gdal_get_pixel_value('secret.txt', 1, 'georef', 0, 0)",
        "ogr_geocode('secret', 'http://localhost:9/')",
    ],
)
def test_a_view_of_a_geopackage_reaches_nothing_outside(desk: Desk, expression: str) -> None:
    desk.write("secret.txt", HIDDEN)
    path = desk.write_layer(
        "a.gpkg", ["POINT (1 2)"], {"v": [1]}, driver="GPKG", layer="lay", geometry_name="geom"
    )
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE lay RENAME TO hidden")
        database.execute(f"CREATE VIEW lay AS SELECT fid, geom, {expression} AS v FROM hidden")  # noqa: S608 - our own text
    database.close()

    with contextlib.suppress(TaskFailed):
        outcome = desk.prepare("a.gpkg")
        assert HIDDEN not in str(outcome.table.to_pylist())


@pytest.mark.parametrize(
    "name", ["http://localhost:9/a.geojson", "/vsicurl/http://localhost:9/a", "../a.geojson", "/etc/passwd"]
)
def test_a_path_outside_the_workspace_is_refused(desk: Desk, name: str) -> None:
    error = desk.refusal(name, "geojson")

    assert (error.code.code, error.message) == (
        "vector.external_reference",
        f"{name} is not a file of the workspace",
    )


def test_names_that_readers_take_for_something_else_are_only_names(desk: Desk) -> None:
    for number, name in enumerate(
        [
            "a.zip!b.geojson",
            "GeoJSON:x.geojson",
            "a?b=c&d.geojson",
            "ä ö.geojson",
            "%2e%2e.geojson",
            "'; DROP--.geojson",
        ]
    ):
        desk.write(name, collection(feature("POINT (1 2)", n=number)))

        assert desk.prepare(name).column("n") == [number]


def test_odd_names_within_archives_are_only_names_too(desk: Desk) -> None:
    path = desk.write_layer(
        "a.gdb", [SQUARE], {"v": pa.array([1], pa.int32())}, driver="OpenFileGDB", geometry_type="Polygon"
    )
    desk.zip("a.zip", [path.rename(path.with_name("a.zip!b.gdb"))])
    folder = shapefile(desk, "x")
    desk.zip(
        "b.zip",
        [each.rename(each.with_name(each.name.replace("x.", "x?y."))) for each in list(folder.iterdir())],
    )

    assert desk.prepare("a.zip").column("v") == [1]
    assert desk.prepare("b.zip").column("v") == [1]


def test_an_unknown_crs_is_refused_and_no_file_is_taken_for_one(desk: Desk) -> None:
    desk.write("a.geojson", collection(feature("POINT (1 2)")))
    desk.write("secret.prj", HIDDEN)

    for given in ("EPSG:999999", "secret.prj", "http://localhost:9/x", 'LOCAL_CS["x"]'):
        error = desk.refusal("a.geojson", input_crs=given)
        assert error.code.code == "vector.crs_unknown"
        assert HIDDEN not in error.message
    assert desk.refusal("a.geojson", target_crs="ESRI:54009").code.code == "vector.target_crs_unsuitable"
    heights = desk.refusal("a.geojson", target_crs="EPSG:5773")
    assert heights.message == "target_crs 'EPSG:5773' is neither geographic nor projected"


def test_html_instead_of_a_file_is_named(desk: Desk) -> None:
    desk.write("a.json", "<!DOCTYPE html><html><body>Please log in</body></html>")

    error = desk.refusal("a.json")

    assert (error.code.code, error.message) == (
        "vector.unsupported_format",
        "a.json is an HTML page, not a vector file",
    )


def test_a_deeply_nested_file_is_refused(desk: Desk) -> None:
    desk.write("a.geojson", '{"type": "FeatureCollection", "features": [' + "[" * 100_000)

    assert desk.refusal("a.geojson").code.code in ("vector.unreadable", "vector.truncated")


def test_json_that_is_no_geojson_is_named(desk: Desk) -> None:
    desk.write("a.json", json.dumps({"a": 1}))

    assert (
        desk.refusal("a.json").message
        == "a.json is JSON without a GeoJSON or TopoJSON type, not a vector file"
    )


@pytest.mark.parametrize(
    ("indexes", "code", "says"),
    [
        ({"attributes": ["v", "w"]}, "vector.index_column_unknown", "indexes.attributes: w is not among v."),
        ({"temporal": ["w"]}, "vector.index_column_unknown", "indexes.temporal: w is not among v."),
        (
            {"temporal": ["V"]},
            "vector.index_column_not_temporal",
            "indexes.temporal: v (boolean) holds no dates, times or years.",
        ),
    ],
)
def test_columns_that_cannot_be_indexed_are_refused_before_a_row_is_prepared(
    desk: Desk, indexes: dict[str, list[str]], code: str, says: str
) -> None:
    desk.write("a.geojson", collection(feature("POINT (1 2)", V=True)))

    error = desk.refusal("a.geojson", indexes=indexes)

    assert (error.code.code, error.message) == (code, says)
    assert not list(desk.workspace.glob("chunk_*"))
