"""Tell a vector file's format by its first bytes, and hold it against what the caller says.

Drivers are given by name afterwards, so that GDAL never chooses how to read a stranger's file.
"""

import re
from pathlib import Path
from typing import Final

from core.codes import BLOB_EMPTY
from core.errors import TaskFailed
from core.vector_options import FileExtension
from services.vector.codes import CONTENT_MISMATCH, EXTERNAL_REFERENCE, SHAPEFILE_LOOSE, UNSUPPORTED_FORMAT
from services.vector.models import Driver

_HEAD_NBYTES: Final = 65_536
_BINARY: Final[tuple[tuple[bytes, Driver], ...]] = (
    (b"SQLite format 3\x00", "GPKG"),
    (b"fgb\x03", "FlatGeobuf"),
    (b"PAR1", "Parquet"),
    (b"\x00\x00\x27\x0a", "ESRI Shapefile"),
)
_FOREIGN: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "PDF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89HDF", "HDF5 or netCDF-4"),
    (b"\xd0\xcf\x11\xe0", "an old Microsoft Office file"),
    (b"ARROW1", "Arrow IPC or Feather"),
    (b"AC10", "AutoCAD DWG"),
)
#: What each extension may hold; ``zip`` stands for every format that can be packed.
EXPECTED: Final[dict[FileExtension, frozenset[Driver]]] = {
    "csv": frozenset({"CSV"}),
    "fgb": frozenset({"FlatGeobuf"}),
    "gdb": frozenset({"OpenFileGDB"}),
    "geojson": frozenset({"GeoJSON", "GeoJSONSeq"}),
    "geojsonl": frozenset({"GeoJSON", "GeoJSONSeq"}),
    "gpkg": frozenset({"GPKG"}),
    "gpx": frozenset({"GPX"}),
    "json": frozenset({"GeoJSON", "GeoJSONSeq", "TopoJSON"}),
    "kml": frozenset({"LIBKML"}),
    "kmz": frozenset({"LIBKML"}),
    "mif": frozenset({"MapInfo File"}),
    "ndjson": frozenset({"GeoJSON", "GeoJSONSeq"}),
    "parquet": frozenset({"Parquet"}),
    "shp": frozenset({"ESRI Shapefile"}),
    "tab": frozenset({"MapInfo File"}),
    "topojson": frozenset({"TopoJSON"}),
    "zip": frozenset(
        {
            "CSV",
            "ESRI Shapefile",
            "FlatGeobuf",
            "GPKG",
            "GPX",
            "GeoJSON",
            "GeoJSONSeq",
            "LIBKML",
            "MapInfo File",
            "OpenFileGDB",
            "Parquet",
            "TopoJSON",
        }
    ),
}
#: Extensions whose files have to come in an archive, because they are several.
PACKED: Final[frozenset[FileExtension]] = frozenset({"gdb", "kmz", "mif", "shp", "tab", "zip"})

_JSON_TYPE: Final = re.compile(rb'"type"\s*:\s*"(\w+)"')
_GEOJSON_TYPES: Final = frozenset(
    {
        b"Feature",
        b"FeatureCollection",
        b"GeometryCollection",
        b"LineString",
        b"MultiLineString",
        b"MultiPoint",
        b"MultiPolygon",
        b"Point",
        b"Polygon",
    }
)
# An object that ends its line, and another one that begins the next.
_SEQUENCE: Final = re.compile(rb"\}[ \t]*\r?\n[ \t]*\{")
_MIF: Final = re.compile(rb"version\s+\d+\s", re.IGNORECASE)
_ROOT: Final = re.compile(rb"<\s*(?:\w+:)?([A-Za-z]\w*)")
_XML_REMARKS: Final = re.compile(rb"<\?.*?\?>|<!--.*?-->", re.DOTALL)


def is_archive(path: Path) -> bool:
    """Tell whether a file is a ZIP archive."""
    return _read_head(path).startswith((b"PK\x03\x04", b"PK\x05\x06"))


def driver_of(path: Path) -> Driver:
    """Return the format of a single file's content.

    Raises:
        TaskFailed: ``blob.empty``, ``vector.external_reference`` for files that only describe where
            others are, ``vector.unsupported_format`` that names what was found.
    """
    head = _read_head(path)
    _refuse_references(path, head)
    driver = _binary_driver(head) or _text_driver(path, head)
    if driver is None:
        found = foreign_format(head)
        raise TaskFailed(
            UNSUPPORTED_FORMAT, f"{path.name} is {found}, not a vector file", file=path.name, found=found
        )
    return driver


def check_extension(path: Path, extension: FileExtension, driver: Driver) -> None:
    """Refuse a file that is not what its extension says.

    Raises:
        TaskFailed: ``vector.content_mismatch``, ``vector.shapefile_loose``.
    """
    if driver == "ESRI Shapefile" and path.suffix.lower() != ".zip":
        raise TaskFailed(SHAPEFILE_LOOSE, f"{path.name} came without its .shx, .dbf and .prj", file=path.name)
    if driver not in EXPECTED[extension]:
        # Any text may be CSV.
        held = "text, at best CSV" if driver == "CSV" else driver
        raise TaskFailed(
            CONTENT_MISMATCH,
            f"{path.name} was submitted as {extension} and holds {held}",
            file=path.name,
            file_extension=extension,
            found=driver,
        )


def mismatch(path: Path, extension: FileExtension, found: str) -> TaskFailed:
    """Return the refusal of a file that is something else altogether."""
    return TaskFailed(
        CONTENT_MISMATCH,
        f"{path.name} was submitted as {extension} and is {found}",
        file=path.name,
        file_extension=extension,
        found=found,
    )


def foreign_format(head: bytes) -> str:
    """Name what a head is, if it is no vector format that is read here."""
    for signature, name in _FOREIGN:
        if head.startswith(signature):
            return name
    text = _without_mark(head)
    if text[:9].lower() == b"<!doctype" or text[:5].lower() == b"<html":
        return "an HTML page"
    if text.startswith(b"<"):
        root = _ROOT.search(_XML_REMARKS.sub(b"", text))
        return f"XML with the root element {root.group(1).decode()}" if root else "XML"
    if text.startswith((b"{", b"[")):
        return "JSON without a GeoJSON or TopoJSON type"
    return "in no format that is known here"


def _read_head(path: Path) -> bytes:
    if path.stat().st_size == 0:
        raise TaskFailed(BLOB_EMPTY, f"{path.name} is empty", file=path.name)
    with path.open("rb") as file:
        return file.read(_HEAD_NBYTES)


def _without_mark(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\x1e")


def _refuse_references(path: Path, head: bytes) -> None:
    """Refuse what GDAL takes for a description of other files, wherever in the head it stands."""
    for mark, name in (
        (b"<OGRVRTDataSource", "a GDAL virtual layer (VRT)"),
        (b"<VRTDataset", "a GDAL virtual dataset (VRT)"),
        (b"gdal_streamed_alg", "a GDAL algorithm (GDALG)"),
        (b"<OGRWFSDataSource", "a web feature service description"),
        (b"<GDAL_WMS", "a web map service description"),
    ):
        if mark in head:
            raise TaskFailed(
                EXTERNAL_REFERENCE, f"{path.name} is {name}: it names other files", file=path.name, found=name
            )
    # Entities make a small file large, or pull in another one; no vector format needs them.
    if _without_mark(head).startswith(b"<") and re.search(rb"<!(ENTITY|DOCTYPE[^>]*\[)", head):
        raise TaskFailed(
            EXTERNAL_REFERENCE, f"{path.name} declares XML entities", file=path.name, found="XML entities"
        )


def _binary_driver(head: bytes) -> Driver | None:
    return next((driver for signature, driver in _BINARY if head.startswith(signature)), None)


def _text_driver(path: Path, head: bytes) -> Driver | None:
    text = _without_mark(head)
    if text.startswith((b"{", b"[")):
        return _json_driver(path, head)
    if text.startswith(b"<"):
        return _xml_driver(text)
    if text[:6].lower() == b"!table":
        return "MapInfo File"
    if path.suffix.lower() == ".mif" and _MIF.match(text):
        return "MapInfo File"
    return "CSV" if _is_text(head) else None


def _json_driver(path: Path, head: bytes) -> Driver | None:
    types = set(_JSON_TYPE.findall(head)) | set(_JSON_TYPE.findall(_read_tail(path)))
    if b"Topology" in types:
        return "TopoJSON"
    if not types & _GEOJSON_TYPES:
        return None
    text = _without_mark(head)
    first_line = text.split(b"\n", 1)[0]
    is_sequence = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"\x1e") or (
        b"FeatureCollection" not in first_line and bool(_SEQUENCE.search(text))
    )
    return "GeoJSONSeq" if is_sequence and b'"FeatureCollection"' not in head[:4096] else "GeoJSON"


def _read_tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _HEAD_NBYTES))
        return file.read()


def _xml_driver(text: bytes) -> Driver | None:
    root = _ROOT.search(_XML_REMARKS.sub(b"", text))
    name = root.group(1) if root else b""
    # Some programs leave out the root element of KML.
    if name in (b"kml", b"Document", b"Folder", b"Placemark"):
        return "LIBKML"
    return "GPX" if name == b"gpx" else None


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head)
