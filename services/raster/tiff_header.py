"""Read the first directory of a TIFF far enough to say why a reader refuses it; imports no GDAL.

Source:
    TIFF 6.0, section 2, and the BigTIFF design: headers, directories, field types. GDAL's
    documentation of its GTiff driver: TIFFTAG_GDAL_NODATA.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

_WIDTH_TAG: Final = 256
_HEIGHT_TAG: Final = 257
_NODATA_TAG: Final = 42113
_ASCII: Final = 2
_INTEGER_FORMATS: Final = {1: "B", 3: "H", 4: "I", 16: "Q"}
_LONGEST_NODATA: Final = 64


@dataclass(frozen=True)
class TiffHeader:
    """What the first directory says.

    Args:
        truncated: The directory lies, at least in part, beyond the end of the file.
        width: ImageWidth in pixels, None where the tag is missing.
        height: ImageLength in pixels.
        nodata: As it is written, also where the data type cannot hold it: rasterio tells of those
            no more than of none.
    """

    truncated: bool
    width: int | None = None
    height: int | None = None
    nodata: str | None = None


@dataclass(frozen=True)
class _Layout:
    order: str
    count_format: str
    offset_format: str
    entry_bytes: int
    value_at: int


def read_header(path: Path) -> TiffHeader:
    """Read the header of a file that begins as a TIFF does."""
    with path.open("rb") as file:
        try:
            return _read_directory(file)
        except struct.error:
            return TiffHeader(truncated=True)


def _read_directory(file: BinaryIO) -> TiffHeader:
    magic = file.read(4)
    order = "<" if magic.startswith(b"II") else ">"
    if magic[2:] in (b"+\x00", b"\x00+"):
        layout = _Layout(order, "Q", "Q", 20, 12)
        file.seek(8)
        (offset,) = struct.unpack(order + "Q", file.read(8))
    else:
        layout = _Layout(order, "H", "I", 12, 8)
        (offset,) = struct.unpack(order + "I", file.read(4))
    return _read_entries(file, offset, layout)


def _read_entries(file: BinaryIO, offset: int, layout: _Layout) -> TiffHeader:
    file.seek(min(offset, 2**63 - 1))
    count_bytes = struct.calcsize(layout.count_format)
    (count,) = struct.unpack(layout.order + layout.count_format, file.read(count_bytes))
    # TIFF allows 65,535 entries; BigTIFF's count may be anything in a crafted file.
    entries = file.read(min(count, 65_535) * layout.entry_bytes)
    values: dict[int, int] = {}
    nodata = None
    for start in range(0, len(entries) - layout.entry_bytes + 1, layout.entry_bytes):
        entry = entries[start : start + layout.entry_bytes]
        tag, kind = struct.unpack_from(layout.order + "HH", entry)
        if tag in (_WIDTH_TAG, _HEIGHT_TAG) and kind in _INTEGER_FORMATS:
            (values[tag],) = struct.unpack_from(layout.order + _INTEGER_FORMATS[kind], entry, layout.value_at)
        elif (tag, kind) == (_NODATA_TAG, _ASCII):
            nodata = _read_text(file, entry, layout)
    truncated = len(entries) < count * layout.entry_bytes
    return TiffHeader(truncated, values.get(_WIDTH_TAG), values.get(_HEIGHT_TAG), nodata)


def _read_text(file: BinaryIO, entry: bytes, layout: _Layout) -> str:
    """Return a text, which stands in the entry itself where it is short enough."""
    room = struct.calcsize(layout.offset_format)
    (length,) = struct.unpack_from(layout.order + layout.offset_format, entry, layout.value_at - room)
    content = entry[layout.value_at :]
    if length > room:
        (offset,) = struct.unpack(layout.order + layout.offset_format, content)
        file.seek(min(offset, 2**63 - 1))
        content = file.read(min(length, _LONGEST_NODATA))
    return content[:length].split(b"\0")[0].decode("ascii", "replace").strip()
