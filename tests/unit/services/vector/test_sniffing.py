"""A file's format by its content, and files that only point at others."""

import json
from pathlib import Path

import pytest

from core.errors import TaskFailed
from core.vector_options import FileExtension
from services.vector.sniffing import check_extension, driver_of

VRT = b'<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer>'
GDALG = json.dumps({"type": "gdal_streamed_alg", "command_line": "gdal vector read /etc/passwd"}).encode()
FEATURE = b'{"type": "Feature", "properties": {}, "geometry": null}'


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "driver"),
    [
        ("a.json", b'{"type": "FeatureCollection", "features": []}', "GeoJSON"),
        ("a.json", b'\xef\xbb\xbf {"features": [], "type": "FeatureCollection"}', "GeoJSON"),
        (
            "a.json",
            b'{"type":"FeatureCollection","features":[\n{"type":"Feature"}\n,\n{"type":"Feature"}]}',
            "GeoJSON",
        ),
        ("a.json", b'{"type": "Point", "coordinates": [1, 2]}', "GeoJSON"),
        ("a.json", FEATURE + b"\n" + FEATURE, "GeoJSONSeq"),
        ("a.json", b"\x1e" + FEATURE + b"\n\x1e" + FEATURE, "GeoJSONSeq"),
        ("a.json", b'{"type": "Topology", "objects": {}, "arcs": []}', "TopoJSON"),
        ("a.json", b'{"arcs": [' + b"[[0,0],[1,1]]," * 9_000 + b'[]], "type": "Topology"}', "TopoJSON"),
        ("a.gpkg", b"SQLite format 3\x00", "GPKG"),
        ("a.fgb", b"fgb\x03fgb\x00", "FlatGeobuf"),
        ("a.parquet", b"PAR1", "Parquet"),
        ("a.shp", b"\x00\x00\x27\x0a", "ESRI Shapefile"),
        ("a.kml", b'<?xml version="1.0"?><!-- x --><kml xmlns="x"><Document/></kml>', "LIBKML"),
        ("a.gpx", b'<gpx version="1.1"/>', "GPX"),
        ("a.tab", b"!table\n!version 300\n", "MapInfo File"),
        ("a.mif", b"Version 300\nCharset", "MapInfo File"),
        ("a.csv", b"a,b\n1,2\n", "CSV"),
        ("a.csv", "größe;b\n".encode("cp1252"), "CSV"),
        ("a.csv", "a,b\n".encode("utf-16"), "CSV"),
    ],
)
def test_the_content_names_the_driver(tmp_path: Path, name: str, content: bytes, driver: str) -> None:
    assert driver_of(written(tmp_path, name, content)) == driver


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", VRT, "a GDAL virtual layer (VRT)"),
        ("a.csv", b"a,b\n1,2\n" + VRT, "a GDAL virtual layer (VRT)"),
        ("a.json", GDALG, "a GDAL algorithm (GDALG)"),
        ("a.geojson", b'{"type": "FeatureCollection", "x": ' + GDALG + b"}", "a GDAL algorithm (GDALG)"),
        ("a.kml", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><kml>&a;</kml>', "XML entities"),
        (
            "a.kml",
            b"<OGRWFSDataSource><URL>http://x</URL></OGRWFSDataSource>",
            "a web feature service description",
        ),
    ],
)
def test_what_points_elsewhere_is_refused(tmp_path: Path, name: str, content: bytes, found: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        driver_of(written(tmp_path, name, content))

    assert (caught.value.code.code, caught.value.details["found"]) == ("vector.external_reference", found)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"%PDF-1.7\x00", "PDF"),
        (b"\x1f\x8b\x08\x00", "a gzip archive"),
        (b"<!DOCTYPE html><html></html>", "an HTML page"),
        (b'<?xml version="1.0"?><gml:FeatureCollection/>', "XML with the root element FeatureCollection"),
        (b'{"a": 1}', "JSON without a GeoJSON or TopoJSON type"),
        (b"\x00\x01\x02\x03", "in no format that is known here"),
    ],
)
def test_what_is_no_vector_file_is_named(tmp_path: Path, content: bytes, found: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        driver_of(written(tmp_path, "a.bin", content))

    assert (caught.value.code.code, caught.value.details["found"]) == ("vector.unsupported_format", found)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskFailed) as caught:
        driver_of(written(tmp_path, "a.csv", b""))

    assert caught.value.code.code == "blob.empty"


@pytest.mark.parametrize(
    ("extension", "name", "content", "code", "message"),
    [
        (
            "geojson",
            "a.geojson",
            b"SQLite format 3\x00",
            "vector.content_mismatch",
            "a.geojson was submitted as geojson and holds GPKG",
        ),
        (
            "csv",
            "a.csv",
            b'{"type": "Point"}',
            "vector.content_mismatch",
            "a.csv was submitted as csv and holds GeoJSON",
        ),
        (
            "shp",
            "a.shp",
            b"\x00\x00\x27\x0a",
            "vector.shapefile_loose",
            "a.shp came without its .shx, .dbf and .prj",
        ),
    ],
)
def test_content_is_held_against_the_extension(
    tmp_path: Path, extension: FileExtension, name: str, content: bytes, code: str, message: str
) -> None:
    path = written(tmp_path, name, content)

    with pytest.raises(TaskFailed) as caught:
        check_extension(path, extension, driver_of(path))

    assert (caught.value.code.code, caught.value.message) == (code, message)
