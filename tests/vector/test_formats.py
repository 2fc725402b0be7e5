"""Every format with every geometry type that it holds: what goes in comes out."""

import json
import re
from datetime import date

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from tests.vector.desk import SQUARE, Desk, Outcome

SHAPES = {
    "Point": "POINT (1 2)",
    "LineString": "LINESTRING (0 0, 1 1)",
    "Polygon": "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))",
    "MultiPoint": "MULTIPOINT ((0 0), (1 1))",
    "MultiLineString": "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))",
    "MultiPolygon": "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 1, 0 0)), ((5 5, 6 5, 6 6, 5 6, 5 5)))",
    "GeometryCollection": "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))",
}
SHAPES_Z = {
    "PointZ": "POINT Z (1 2 3)",
    "LineStringZ": "LINESTRING Z (0 0 5, 1 1 6)",
    "PolygonZ": "POLYGON Z ((0 0 1, 4 0 2, 4 4 3, 0 4 4, 0 0 1))",
    "MultiPointZ": "MULTIPOINT Z ((0 0 1), (1 1 2))",
    "MultiLineStringZ": "MULTILINESTRING Z ((0 0 1, 1 1 2), (2 2 3, 3 3 4))",
    "MultiPolygonZ": "MULTIPOLYGON Z (((0 0 1, 1 0 1, 1 1 1, 0 0 1)), ((5 5 2, 6 5 2, 6 6 2, 5 5 2)))",
}
ALL = SHAPES | SHAPES_Z
SEVEN = {"v": pa.array([7], pa.int32())}
# What the writer of a format cannot hold.
OGR_FORMATS = {
    "a.gpkg": ("GPKG", set()),
    "a.geojson": ("GeoJSON", set()),
    "a.geojsonl": ("GeoJSONSeq", set()),
    "a.fgb": ("FlatGeobuf", set()),
    "a.mif": ("MapInfo File", {"MultiPoint", "GeometryCollection", *SHAPES_Z}),
}
CASES = [(name, kind) for name, (_, without) in OGR_FORMATS.items() for kind in ALL if kind not in without]


def same(outcome: Outcome, kind: str) -> bool:
    [found] = shapely.from_wkb(outcome.table["geom"].to_numpy(zero_copy_only=False))
    expected = shapely.from_wkt(ALL[kind])
    return bool(shapely.equals_exact(shapely.normalize(found), shapely.normalize(expected), 1e-7)) and (
        found.has_z == expected.has_z
    )


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_geometry_comes_out_as_it_went_in(desk: Desk, name: str, kind: str) -> None:
    desk.write_layer(name, [ALL[kind]], SEVEN, driver=OGR_FORMATS[name][0], geometry_type=_with_blank(kind))

    outcome = desk.prepare(name)

    assert same(outcome, kind)
    assert outcome.result.geometry_type == kind
    assert outcome.column("v") == [7]
    assert (outcome.result.rows_read, outcome.result.rows_prepared) == (1, 1)


@pytest.mark.parametrize("kind", ALL)
def test_kml_holds_every_kind(desk: Desk, kind: str) -> None:
    path = desk.write_layer("a.kml", [ALL[kind]], {"Name": ["x"]}, driver="LIBKML")
    if kind in SHAPES:
        # The writer gives everything a height.
        path.write_text(re.sub(r",0(?=[\s<])", "", path.read_text()))

    outcome = desk.prepare("a.kml")

    assert same(outcome, kind)
    assert outcome.column("name") == ["x"]


@pytest.mark.parametrize("kind", [kind for kind in ALL if "Collection" not in kind])
def test_shapefiles_come_in_archives(desk: Desk, kind: str) -> None:
    folder = desk.workspace / "s"
    folder.mkdir()
    desk.write_layer("s/a.shp", [ALL[kind]], SEVEN, driver="ESRI Shapefile", geometry_type="Unknown")
    desk.zip("a.zip", folder.iterdir(), prefix="deep/down/")

    outcome = desk.prepare("a.zip", "shp")

    assert same(outcome, kind)
    assert (outcome.result.driver, outcome.result.source_crs, outcome.column("v")) == (
        "ESRI Shapefile",
        "EPSG:4326",
        [7],
    )


@pytest.mark.parametrize("kind", [kind for kind in ALL if "Collection" not in kind])
def test_geodatabases_come_in_archives(desk: Desk, kind: str) -> None:
    path = desk.write_layer(
        "a.gdb", [ALL[kind]], SEVEN, driver="OpenFileGDB", geometry_type=_with_blank(kind)
    )
    desk.zip("a.zip", [path])

    outcome = desk.prepare("a.zip", "gdb")

    [found] = shapely.from_wkb(outcome.table["geom"].to_numpy(zero_copy_only=False))
    # The format has multi lines and areas only, on a grid of nanometres.
    expected = shapely.get_parts(shapely.normalize(shapely.from_wkt(ALL[kind])))
    parts = shapely.get_parts(shapely.normalize(found))
    assert shapely.equals_exact(parts, expected, 1e-7).all()
    assert np.allclose(*(shapely.get_coordinates(each, include_z=found.has_z) for each in (parts, expected)))
    assert outcome.result.geometry_type.removeprefix("Multi") == kind.removeprefix("Multi")


MEASURED = {
    "PointM": "POINT M (1 2 3)",
    "LineStringM": "LINESTRING M (0 0 5, 1 1 6)",
    "PolygonZM": "POLYGON ZM ((0 0 1 9, 4 4 3 7, 4 0 2 8, 0 0 1 9))",
}
# Where the writer has to be told the type, it knows the name of one.
MEASURED_CASES = [
    *(("a.gpkg", "GPKG", kind, "Unknown") for kind in MEASURED),
    *(("a.shp", "ESRI Shapefile", kind, "Unknown") for kind in MEASURED),
    ("a.fgb", "FlatGeobuf", "LineStringM", "Measured LineString"),
    ("a.gdb", "OpenFileGDB", "LineStringM", "Measured LineString"),
]


@pytest.mark.parametrize(("name", "driver", "kind", "written_as"), MEASURED_CASES)
def test_measures_are_kept(desk: Desk, name: str, driver: str, kind: str, written_as: str) -> None:
    folder = desk.workspace / "m"
    folder.mkdir()
    path = desk.write_layer(f"m/{name}", [MEASURED[kind]], SEVEN, driver=driver, geometry_type=written_as)
    extension = name.removeprefix("a.")
    archived = {"shp": folder.iterdir(), "gdb": [path]}.get(extension)
    if archived:
        name = desk.zip("a.zip", archived).name
    else:
        path.rename(desk.workspace / name)

    outcome = desk.prepare(name, extension)

    [found] = shapely.from_wkb(outcome.table["geom"].to_numpy(zero_copy_only=False))
    [part] = shapely.get_parts([found])
    assert shapely.to_wkt(part, output_dimension=4) == MEASURED[kind]


@pytest.mark.parametrize("kind", ["Point", "LineString", "Polygon", "MultiLineString", "MultiPolygon"])
def test_mapinfo_tables_come_in_archives(desk: Desk, kind: str) -> None:
    folder = desk.workspace / "t"
    folder.mkdir()
    desk.write_layer("t/a.tab", [ALL[kind]], {"v": [7]}, driver="MapInfo File")
    desk.zip("a.zip", folder.iterdir())

    outcome = desk.prepare("a.zip", "tab")

    [found] = shapely.from_wkb(outcome.table["geom"].to_numpy(zero_copy_only=False))
    assert shapely.equals_exact(
        shapely.normalize(found), shapely.normalize(shapely.from_wkt(ALL[kind])), 1e-5
    )


@pytest.mark.parametrize("extension", ["mif", "zip"])
@pytest.mark.parametrize("kind", ["Point", "LineString", "Polygon", "MultiLineString", "MultiPolygon"])
def test_mapinfo_interchange_files_come_in_archives(desk: Desk, kind: str, extension: str) -> None:
    folder = desk.workspace / "m"
    folder.mkdir()
    desk.write_layer("m/a.mif", [ALL[kind]], SEVEN, driver="MapInfo File", geometry_type=kind)
    desk.zip("a.zip", folder.iterdir(), prefix="deep/")

    outcome = desk.prepare("a.zip", extension)

    assert same(outcome, kind)
    assert outcome.column("v") == [7]


@pytest.mark.parametrize("kind", ALL)
def test_geoparquet_is_read_by_row_groups(desk: Desk, kind: str) -> None:
    frame = geopandas.GeoDataFrame({"v": [7]}, geometry=shapely.from_wkt([ALL[kind]]), crs="EPSG:4326")
    frame.to_parquet(desk.workspace / "a.parquet")

    outcome = desk.prepare("a.parquet")

    assert same(outcome, kind)
    assert (outcome.result.geometry_type, outcome.result.driver) == (kind, "Parquet")


def test_rows_of_every_row_group_of_geoparquet_come_out_in_order(desk: Desk) -> None:
    frame = geopandas.GeoDataFrame(
        {"n": range(1_000)}, geometry=shapely.points(np.arange(1_000) / 100, 1.0), crs="EPSG:4326"
    )
    frame.to_parquet(desk.workspace / "a.parquet", row_group_size=300)

    outcome = desk.prepare("a.parquet")

    assert outcome.column("n") == list(range(1_000))
    assert outcome.column("source_fid") == list(range(1, 1_001))


def test_geoparquet_in_another_encoding_is_refused_by_its_name(desk: Desk) -> None:
    frame = geopandas.GeoDataFrame({"n": [1]}, geometry=shapely.from_wkt(["POINT (1 2)"]), crs="EPSG:4326")
    frame.to_parquet(desk.workspace / "a.parquet", geometry_encoding="geoarrow", schema_version="1.1.0")

    error = desk.refusal("a.parquet")

    assert error.code.code == "vector.unsupported_format"
    assert error.message == "a.parquet has its geometries as point, not as WKB"


def test_a_geoparquet_file_without_a_crs_is_in_degrees_and_with_none_has_none(desk: Desk) -> None:
    frame = geopandas.GeoDataFrame({"v": [7]}, geometry=shapely.from_wkt(["POINT (1 2)"]))
    frame.to_parquet(desk.workspace / "a.parquet")

    assert desk.refusal("a.parquet").code.code == "vector.crs_missing"
    assert desk.prepare("a.parquet", input_crs="EPSG:3857").result.source_crs == "EPSG:3857"


def test_the_boxes_of_geoparquet_are_left_out(desk: Desk) -> None:
    frame = geopandas.GeoDataFrame({"v": [7]}, geometry=shapely.from_wkt([SQUARE]), crs="EPSG:4326")
    frame.to_parquet(desk.workspace / "a.parquet", write_covering_bbox=True, schema_version="1.1.0")

    assert list(desk.prepare("a.parquet").types) == ["v"]


def test_parquet_without_geometries_is_refused(desk: Desk) -> None:
    pq.write_table(pa.table({"a": [1]}), desk.workspace / "a.parquet")

    assert desk.refusal("a.parquet").code.code == "vector.not_spatial"


def test_types_of_geoparquet_are_kept(desk: Desk) -> None:
    columns = {
        "i8": pa.array([1], pa.int8()),
        "u8": pa.array([200], pa.uint8()),
        "i16": pa.array([1], pa.int16()),
        "u16": pa.array([65535], pa.uint16()),
        "i32": pa.array([1], pa.int32()),
        "u32": pa.array([2**32 - 1], pa.uint32()),
        "i64": pa.array([1], pa.int64()),
        "u64": pa.array([2**64 - 1], pa.uint64()),
        "f32": pa.array([0.1], pa.float32()),
        "dec": pa.array(["12.34"]).cast(pa.decimal128(10, 2)),
        "cat": pa.array(["x"]).dictionary_encode(),
        "raw": pa.array([b"\x00"], pa.binary()),
        "day": pa.array([date(2020, 1, 1)]),
        "clock": pa.array([1_000_000], pa.time64("us")),
        "ns": pa.array([1_500], pa.timestamp("ns")),
        "tz": pa.array([1], pa.timestamp("ms", "Europe/Berlin")),
        "ints": pa.array([[1, None]], pa.list_(pa.int32())),
        "texts": pa.array([["a"]], pa.list_(pa.string())),
        "deep": pa.array([{"a": [1]}]),
        "nothing": pa.nulls(1),
    }
    table = pa.table(columns | {"geometry": pa.array([shapely.to_wkb(shapely.Point(1, 2))])})
    column = {"encoding": "WKB", "geometry_types": []}
    geo = {"version": "1.0.0", "primary_column": "geometry", "columns": {"geometry": column}}
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), desk.workspace / "a.parquet")

    outcome = desk.prepare("a.parquet")

    assert outcome.types == {
        "i8": "smallint",
        "u8": "smallint",
        "i16": "smallint",
        "u16": "integer",
        "i32": "integer",
        "u32": "bigint",
        "i64": "bigint",
        "u64": "numeric",
        "f32": "real",
        "f_dec": "numeric",
        "cat": "text",
        "raw": "bytea",
        "day": "date",
        "clock": "time",
        "ns": "timestamp",
        "tz": "timestamptz",
        "ints": "bigint[]",
        "texts": "text[]",
        "deep": "jsonb",
        "nothing": "text",
    }
    assert outcome.column("u64") == [2**64 - 1]
    assert outcome.column("ints") == [[1, None]]
    assert outcome.column("deep") == ['{"a": [1]}']


def test_gpx_tracks_are_read_without_their_points_again(desk: Desk) -> None:
    desk.write(
        "a.gpx",
        '<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>n</name><trkseg>'
        '<trkpt lat="1" lon="2"><ele>3</ele></trkpt><trkpt lat="2" lon="3"><ele>4</ele></trkpt>'
        "</trkseg></trk></gpx>",
    )

    outcome = desk.prepare("a.gpx")

    assert outcome.wkt == ["MULTILINESTRING Z ((2 1 3, 3 2 4))"]
    assert [layer.name for layer in outcome.result.layers] == ["tracks"]
    assert desk.prepare("a.gpx", layer="track_points").result.rows_read == 2


KML = """<kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Folder><name>A</name><Placemark><name>p</name><Point><coordinates>1,2</coordinates></Point></Placemark></Folder>
<Folder><name>B</name><Placemark><name>q</name><Point><coordinates>3,4</coordinates></Point></Placemark></Folder>
<Folder><name>C</name></Folder></Document></kml>"""


def test_folders_of_kml_are_merged_with_their_names(desk: Desk) -> None:
    desk.write("a.kml", KML)

    outcome = desk.prepare("a.kml")

    assert outcome.column("folder") == ["A", "B"]
    assert outcome.column("name") == ["p", "q"]
    assert outcome.wkt == ["POINT (1 2)", "POINT (3 4)"]


def test_kmz_is_unpacked_and_its_document_read(desk: Desk) -> None:
    desk.zip("a.kmz", [desk.write("doc.kml", KML), desk.write("z.kml", KML.replace("1,2", "9,9"))])

    assert desk.prepare("a.kmz").wkt == ["POINT (1 2)", "POINT (3 4)"]
    assert desk.prepare("a.kmz", converter={"kml_name": "z.kml"}).wkt == ["POINT (9 9)", "POINT (3 4)"]


def test_one_of_several_kml_files_of_an_archive_can_be_named(desk: Desk) -> None:
    desk.zip("a.zip", [desk.write("y.kml", KML), desk.write("z.kml", KML.replace("1,2", "9,9"))])

    assert "kml_name" in desk.refusal("a.zip").code.remedy
    assert desk.refusal("a.zip").code.code == "vector.zip_ambiguous"
    assert desk.prepare("a.zip", converter={"kml_name": "z"}).wkt == ["POINT (9 9)", "POINT (3 4)"]


def test_a_kml_file_that_is_named_and_not_there_is_refused(desk: Desk) -> None:
    desk.write_layer("a.gpkg", [SQUARE], SEVEN, driver="GPKG")
    desk.zip("a.zip", [desk.write("y.kml", KML), desk.workspace / "a.gpkg"])

    for name in ("x.kml", "a"):
        error = desk.refusal("a.zip", converter={"kml_name": name})
        assert error.code.code == "vector.zip_without_data"
        assert f"and no {name!r}" in error.message


def test_field_types_of_geopackage_are_kept(desk: Desk) -> None:
    columns = {
        "i16": pa.array([1, None], pa.int16()),
        "i32": pa.array([1, None], pa.int32()),
        "i64": pa.array([2**60, None], pa.int64()),
        "f32": pa.array([0.5, None], pa.float32()),
        "b": pa.array([True, None]),
        "d": pa.array([date(2020, 1, 1), None]),
        "t": pa.array([1, None], pa.timestamp("ms", "UTC")),
        "raw": pa.array([b"\x00\x01", None]),
        "s": pa.array(["ü", None]),
    }
    desk.write_layer("a.gpkg", ["POINT (1 2)", "POINT (1 2)"], columns, driver="GPKG")

    outcome = desk.prepare("a.gpkg")

    assert outcome.types == {
        "i16": "smallint",
        "i32": "integer",
        "i64": "bigint",
        "f32": "real",
        "b": "boolean",
        "d": "date",
        "t": "timestamptz",
        "raw": "bytea",
        "s": "text",
    }
    assert [outcome.column(name)[1] for name in outcome.types] == [None] * 9


@pytest.mark.parametrize(
    ("encoding", "cpg", "given"),
    [("UTF-8", None, None), ("ISO-8859-1", None, None), ("CP1250", None, "cp1250"), ("CP1250", "1250", None)],
)
def test_text_of_shapefiles_is_decoded(desk: Desk, encoding: str, cpg: str | None, given: str | None) -> None:
    text = "Žofín" if encoding == "CP1250" else "Köln"
    folder = desk.workspace / "s"
    folder.mkdir()
    desk.write_layer(
        "s/a.shp",
        ["POINT (1 2)"],
        {"name": [text]},
        driver="ESRI Shapefile",
        encoding=encoding,
    )
    (folder / "a.cpg").unlink(missing_ok=True)
    if cpg is not None:
        (folder / "a.cpg").write_text(cpg)
    desk.zip("a.zip", folder.iterdir())

    outcome = desk.prepare("a.zip", converter={"encoding": given})

    assert outcome.column("name") == [text]


def test_every_row_of_a_large_layer_comes_out_once(desk: Desk) -> None:
    random = np.random.default_rng(1)
    x, y = random.uniform(0, 10, 120_000), random.uniform(0, 10, 120_000)
    desk.write_layer(
        "a.gpkg", list(shapely.to_wkb(shapely.points(x, y))), {"n": range(120_000)}, driver="GPKG"
    )

    outcome = desk.prepare("a.gpkg", chunk_size=50_000)

    assert [chunk.rows for chunk in outcome.result.chunks] == [50_000, 50_000, 20_000]
    assert [chunk.name for chunk in outcome.result.chunks] == [f"chunk_{n:05}.parquet" for n in range(3)]
    assert outcome.column("n") == list(range(120_000))
    assert [report[0] for report in desk.reports] == sorted(report[0] for report in desk.reports)


def _with_blank(kind: str) -> str:
    return kind.replace("Z", " Z")
