"""Geometries as text: WKT, EWKT, and WKB or EWKB in hex."""

import ctypes
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from services.vector.native.drivers import GDAL
from services.vector.wkb import LAST_SIMPLE, headers

_SRID: Final = r"^\s*(?i:SRID)=(?P<srid>\d+);"
_HEX: Final = r"^\s*0[01][0-9A-Fa-f]{8,}\s*$"
# What GEOS parses and then cannot handle, or does not parse.
_CURVED: Final = re.compile(
    r"CIRCULARSTRING|COMPOUNDCURVE|CURVEPOLYGON|MULTICURVE|MULTISURFACE|TIN|TRIANGLE|POLYHEDRAL",
    re.IGNORECASE,
)
_LITTLE_ENDIAN: Final = 1


@dataclass(frozen=True)
class TextGeometries:
    """What a column of text held.

    Args:
        wkb: ISO WKB; null for no value and for what is no geometry.
        srids: 0 where the text names none.
        is_bad: Which texts are no geometry.
    """

    wkb: pa.BinaryArray
    srids: NDArray[np.int64]
    is_bad: NDArray[np.bool_]


def parse_text(values: pa.StringArray) -> TextGeometries:
    """Parse a column, each value in whichever way it is written."""
    texts = pc.utf8_trim_whitespace(values)
    there = np.asarray(pc.fill_null(pc.not_equal(texts, ""), False))
    named = pc.struct_field(pc.extract_regex(texts, _SRID), "srid")
    srids = np.array(pc.fill_null(pc.cast(named, pa.int64()), 0))
    plain = pc.replace_substring_regex(texts, _SRID, "").to_numpy(zero_copy_only=False)
    is_hex = np.asarray(pc.fill_null(pc.match_substring_regex(texts, _HEX), False)) & there
    wkb = np.full(len(values), None, dtype=object)
    wkb[is_hex], srids[is_hex] = _from_hex(plain[is_hex])
    curved = np.array([bool(text and _CURVED.search(text[:4096])) for text in plain]) & there & ~is_hex
    simple = there & ~is_hex & ~curved
    wkb[simple] = _as_wkb(shapely.from_wkt(plain[simple], on_invalid="ignore"))
    wkb[curved] = [curve_wkb(text) for text in plain[curved]]
    parsed = pa.array(wkb, pa.binary())
    return TextGeometries(parsed, srids, there & np.asarray(parsed.is_null()))


def _as_wkb(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.asarray(shapely.to_wkb(shapes, byte_order=1, flavor="iso", output_dimension=4), dtype=object)


def _from_hex(texts: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Return ISO WKB and SRIDs; curves are passed on if they are plain WKB."""
    wkb = np.array([_bytes_of(text) for text in texts], dtype=object)
    srids = np.zeros(len(texts), np.int64)
    found = headers(pa.array(wkb, pa.binary()))
    simple = (found.base >= 1) & (found.base <= LAST_SIMPLE)
    shapes = shapely.from_wkb(wkb[simple], on_invalid="ignore")
    wkb[simple], srids[simple] = _as_wkb(shapes), np.maximum(shapely.get_srid(shapes), 0)
    wkb[~simple & ~found.is_plain] = None
    return wkb, srids


def _bytes_of(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def curve_wkb(text: str) -> bytes | None:
    """Return what OGR makes of WKT of a curve, a triangle or a surface; None if it is none."""
    handle = ctypes.c_void_p()
    pointer = ctypes.c_char_p(text.encode())
    if GDAL.OGR_G_CreateFromWkt(ctypes.byref(pointer), None, ctypes.byref(handle)) != 0:
        return None
    try:
        size = GDAL.OGR_G_WkbSize(handle)
        buffer = ctypes.create_string_buffer(size)
        GDAL.OGR_G_ExportToIsoWkb(handle, _LITTLE_ENDIAN, buffer)
        return buffer.raw
    finally:
        GDAL.OGR_G_DestroyGeometry(handle)
