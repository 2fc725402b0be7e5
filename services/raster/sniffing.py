"""Tell a raster's format by its first bytes; imports no GDAL.

Drivers are given by name afterwards, so that GDAL never chooses how to read a stranger's file.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from core.codes import BLOB_EMPTY
from core.errors import TaskFailed
from services.raster.codes import UNSUPPORTED_FORMAT

Driver = Literal["GTiff", "HFA", "JP2OpenJPEG", "AAIGrid", "SRTMHGT", "DTED", "PNG"]

_HEAD_BYTES: Final = 4096
_DRIVER_SIGNATURES: Final[tuple[tuple[bytes, Driver], ...]] = (
    (b"II*\x00", "GTiff"),
    (b"MM\x00*", "GTiff"),
    (b"II+\x00", "GTiff"),
    (b"MM\x00+", "GTiff"),
    (b"EHFA_HEADER_TAG", "HFA"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JP2OpenJPEG"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"UHL1", "DTED"),
)
_FOREIGN_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x89HDF", "HDF5 or netCDF-4"),
    (b"CDF", "netCDF"),
    (b"GRIB", "GRIB"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"RIFF", "WebP or another RIFF file"),
    (b"%PDF", "PDF"),
    (b"SQLite format 3", "SQLite or GeoPackage"),
    (b"NITF", "NITF"),
    (b"BM", "BMP"),
)
_GRID_KEYS: Final = re.compile(
    rb"\s*(ncols|nrows|xllcorner|xllcenter|yllcorner|yllcenter|cellsize|dx|dy)\s+[-+.\d]", re.IGNORECASE
)
_HGT_NAME: Final = re.compile(r"[NS]\d{2}[EW]\d{3}.*\.hgt", re.IGNORECASE)
_HGT_SIZES: Final = frozenset(2 * n * m for n, m in ((1201, 1201), (3601, 3601), (1801, 3601)))
_TEXT: Final = re.compile(rb"[\x09\x0a\x0d\x20-\x7e\x80-\xff]*")


def driver_of(path: Path) -> Driver:
    """Return the GDAL driver for the content of a file.

    Raises:
        TaskFailed: ``blob.empty``, or ``raster.unsupported_format`` that names what was found.
    """
    nbytes = path.stat().st_size
    if nbytes == 0:
        raise TaskFailed(BLOB_EMPTY, f"{path.name} is empty", file=path.name)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    driver = None if _is_xml_dataset(head) else _known_driver(head, path.name, nbytes)
    if driver is None:
        found = _foreign_format(head)
        raise TaskFailed(
            UNSUPPORTED_FORMAT, f"{path.name} is {found}, not a raster", file=path.name, found=found
        )
    return driver


def _is_xml_dataset(head: bytes) -> bool:
    """Tell whether GDAL could take a file for a description of other files.

    Its VRT driver looks for this anywhere in the header, so a file of two formats is refused.
    """
    return b"<VRTDataset" in head or b"<OGRVRTDataSource" in head


def _known_driver(head: bytes, name: str, nbytes: int) -> Driver | None:
    for signature, driver in _DRIVER_SIGNATURES:
        if head.startswith(signature):
            return driver
    if _GRID_KEYS.match(head):
        return "AAIGrid"
    if _HGT_NAME.fullmatch(name) and nbytes in _HGT_SIZES:
        return "SRTMHGT"
    # A DTED file from tape has 80-byte volume and header labels before the user header.
    return "DTED" if head[80:84] == b"UHL1" or head[160:164] == b"UHL1" else None


def _foreign_format(head: bytes) -> str:
    for signature, name in _FOREIGN_SIGNATURES:
        if head.startswith(signature):
            return name
    if b"\x00" not in head and _TEXT.fullmatch(head):
        return _text_format(head.lstrip(b"\xef\xbb\xbf \t\r\n"))
    return "in no format that is known here"


_TEXT_FORMATS: Final[tuple[tuple[Callable[[bytes], bool], str], ...]] = (
    (_is_xml_dataset, "a GDAL virtual dataset (VRT)"),
    (lambda text: b"gdal_streamed_alg" in text, "a GDAL algorithm (GDALG)"),
    (lambda text: text.startswith(b"<GDAL_WMS"), "a web map service description"),
    (lambda text: text[:5].lower() in (b"<!doc", b"<html"), "an HTML page"),
    (lambda text: text.startswith(b"<"), "XML"),
    (lambda text: text.startswith((b"{", b"[")), "JSON"),
)


def _text_format(text: bytes) -> str:
    return next((name for matches, name in _TEXT_FORMATS if matches(text)), "plain text")
