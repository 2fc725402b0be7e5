"""Well-known binary as arrays: what its headers say, and what a typmod makes of it.

Imports no GDAL: shapely carries GEOS alone, so the worker that loads chunks may use this too.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

_EWKB_Z: Final = 0x80000000
_EWKB_M: Final = 0x40000000
_EWKB_SRID: Final = 0x20000000
_HEADER_NBYTES: Final = 5
_MULTI_HEADER_NBYTES: Final = 9
_EMPTY_NBYTES: Final = 9
# Where the exponent of a point's first coordinate is.
_POINT_EXPONENT: Final = np.array([11, 12])

#: Base types of the simple features standard, by their number in WKB.
NAMES: Final = {
    1: "Point",
    2: "LineString",
    3: "Polygon",
    4: "MultiPoint",
    5: "MultiLineString",
    6: "MultiPolygon",
    7: "GeometryCollection",
    8: "CircularString",
    9: "CompoundCurve",
    10: "CurvePolygon",
    11: "MultiCurve",
    12: "MultiSurface",
    13: "Curve",
    14: "Surface",
    15: "PolyhedralSurface",
    16: "TIN",
    17: "Triangle",
}
_NUMBERS: Final = {name: number for number, name in NAMES.items()}
#: The last type that the fast path takes.
LAST_SIMPLE: Final = 7
_LAST_SINGLE: Final = 3
_MULTI: Final = {1: 4, 2: 5, 3: 6}
_SPLITTABLE: Final = (2, 3)
#: What PostGIS makes of types that the fast path does not take; areas become multi, for repair may split
#: them, which it does to no line and no point.
_LINEARISED: Final = {3: 6, 8: 2, 9: 2, 10: 6, 11: 5, 12: 6, 13: 2, 14: 6, 15: 6, 16: 6, 17: 6}


@dataclass(frozen=True)
class Headers:
    """What the first five bytes of each geometry say.

    Args:
        base: Number of the type without its dimensions; 0 for null and for what is no WKB.
        has_z: Whether there is a third coordinate of height.
        has_m: Whether there is a measure.
        is_null: Whether there is no geometry.
        is_plain: Whether it is little-endian ISO WKB.
    """

    base: NDArray[np.uint32]
    has_z: NDArray[np.bool_]
    has_m: NDArray[np.bool_]
    is_null: NDArray[np.bool_]
    is_plain: NDArray[np.bool_]

    @property
    def is_simple(self) -> NDArray[np.bool_]:
        """Tell which the fast path can take: no measures, curves, triangles or surfaces."""
        simple: NDArray[np.bool_] = (self.base >= 1) & (self.base <= LAST_SIMPLE) & ~self.has_m
        return simple


def headers(wkb: pa.BinaryArray) -> Headers:
    """Read the headers of an array of WKB, EWKB included."""
    is_null = np.asarray(wkb.is_null())
    raw = _first_bytes(wkb, ~is_null)
    little = raw[:, 0] == 1
    code = np.ascontiguousarray(raw[:, 1:]).view("<u4")[:, 0]
    code = np.where(little, code, code.byteswap())
    number = code & 0x0FFFFFFF
    iso, base = np.divmod(number, 1000)
    known = (raw[:, 0] <= 1) & (iso <= 3) & (base <= max(NAMES)) & ~is_null
    base = np.where(known, base, 0).astype(np.uint32)
    return Headers(
        base=base,
        has_z=((iso == 1) | (iso == 3) | ((code & _EWKB_Z) != 0)) & (base > 0),
        has_m=((iso == 2) | (iso == 3) | ((code & _EWKB_M) != 0)) & (base > 0),
        is_null=is_null,
        is_plain=little & ((code & (_EWKB_Z | _EWKB_M | _EWKB_SRID)) == 0),
    )


def _first_bytes(wkb: pa.BinaryArray, there: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the headers' bytes, row by row; zeros, a header of no type, for what is too short."""
    offsets, data = buffers(wkb)
    rows = np.zeros((len(wkb), _HEADER_NBYTES), np.uint8)
    long_enough = there & (np.diff(offsets) >= _HEADER_NBYTES)
    rows[long_enough] = data[offsets[:-1][long_enough, None] + np.arange(_HEADER_NBYTES)]
    return rows


def buffers(wkb: pa.BinaryArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return offsets and bytes of an array of binaries, which may be a slice.

    Raises:
        TypeError: The array is of another type, such as one with 64-bit offsets.
    """
    if not pa.types.is_binary(wkb.type):
        raise TypeError(f"geometries are {wkb.type}, not binary")
    _, offsets, data = wkb.buffers()
    counted = np.frombuffer(offsets, np.int32, len(wkb) + 1, wkb.offset * 4)
    return counted, np.frombuffer(data or b"", np.uint8)


class TypeSet:
    """Which geometry types have come by, and the tightest typmod that takes them all."""

    def __init__(self) -> None:
        self._bases: set[int] = set()
        self._has_z = False
        self._has_m = False

    def add(self, found: Headers, *, may_split: bool = False) -> None:
        """Add the types of some rows; those of the SQL path as PostGIS will leave them.

        Args:
            found: Their headers.
            may_split: Whether PostGIS may cut lines in two.
        """
        for base in np.unique(found.base[found.base > 0]).tolist():
            rows = found.base == base
            simple = base <= LAST_SIMPLE and not bool(np.any(found.has_m[rows]))
            became = base if simple else _LINEARISED.get(base, base)
            self._bases.add(_MULTI[became] if may_split and became in _SPLITTABLE else became)
            # Triangles and surfaces have heights even where the header does not say so.
            self._has_z |= bool(np.any(found.has_z[rows]))
        self._has_m |= bool(np.any(found.has_m))

    @property
    def typmod(self) -> str:
        """Return a name such as ``MultiPolygonZ``; ``Geometry`` where no other takes all."""
        dimensions = ("Z" if self._has_z else "") + ("M" if self._has_m else "")
        return _common_type(self._bases) + dimensions


def _common_type(bases: set[int]) -> str:
    if len(bases) == 1:
        return NAMES[next(iter(bases))]
    multi = {_MULTI.get(base, base) for base in bases}
    if len(multi) == 1:
        return NAMES[multi.pop()]
    return "Geometry"


def conform(wkb: pa.BinaryArray, geometry_type: str) -> pa.BinaryArray:
    """Return simple geometries so that a column of `geometry_type` takes them.

    Single geometries become multi where the type is; where it has Z, geometries without get 0; what has
    no point becomes the type's own empty geometry, as it does in PostGIS. Rows that fit already are
    passed on as they are, so that calling it costs little.

    Args:
        wkb: Little-endian ISO WKB of the fast path, or null.
        geometry_type: As `services.vector.models.PreparedVector` has it.

    Raises:
        ValueError: The type has measures: such tables are loaded by the SQL path alone.
    """
    if geometry_type.endswith("M"):
        raise ValueError(f"simple geometries do not go into {geometry_type}")
    came = headers(wkb)
    is_empty = _is_empty(wkb, came)
    fitted = _widened(wkb, came, geometry_type)
    return _with_own_empties(fitted, came, is_empty, geometry_type) if is_empty.any() else fitted


def _widened(wkb: pa.BinaryArray, found: Headers, geometry_type: str) -> pa.BinaryArray:
    is_multi = geometry_type.startswith("Multi")
    if geometry_type.endswith("Z") and bool(np.any((found.base > 0) & ~found.has_z)):
        wkb = _with_z(wkb)
        found = headers(wkb)
    single = (found.base >= 1) & (found.base <= _LAST_SINGLE) & is_multi
    return _promoted(wkb, found, single) if bool(np.any(single)) else wkb


def _is_empty(wkb: pa.BinaryArray, found: Headers) -> NDArray[np.bool_]:
    """Tell which geometries have no point: no part, or for a point no numbers."""
    offsets, data = buffers(wkb)
    empty: NDArray[np.bool_] = (found.base > 1) & (np.diff(offsets) == _EMPTY_NBYTES)
    points = np.flatnonzero(found.base == 1)
    # Only what is no number has all bits of its exponent set.
    ends = data[offsets[:-1][points, None] + _POINT_EXPONENT]
    empty[points] = ((ends[:, 1] & 0x7F) == 0x7F) & (ends[:, 0] >= 0xF0)
    return empty


def _with_own_empties(
    wkb: pa.BinaryArray, found: Headers, is_empty: NDArray[np.bool_], geometry_type: str
) -> pa.BinaryArray:
    """Put the empty geometry of the column's type, or of the row's where it takes any, in its place."""
    has_z = geometry_type.endswith("Z")
    own = _NUMBERS.get(geometry_type.removesuffix("Z"))
    for base in np.unique(found.base[is_empty]).tolist():
        kind = own or base
        body = np.full(2 + has_z, np.nan).tobytes() if kind == 1 else bytes(4)
        empty = b"\x01" + (kind + 1000 * has_z).to_bytes(4, "little") + body
        rows = pa.array(is_empty & (found.base == base))
        wkb = pc.if_else(rows, pa.scalar(empty, pa.binary()), wkb)
    return wkb


def _promoted(wkb: pa.BinaryArray, found: Headers, single: NDArray[np.bool_]) -> pa.BinaryArray:
    """Put the header of a collection of one before each single geometry, copying bytes only."""
    offsets, data = buffers(wkb)
    lengths = np.diff(offsets).astype(np.int64)
    added = np.where(single, _MULTI_HEADER_NBYTES, 0)
    ends = np.cumsum(lengths + added)
    output = np.empty(int(ends[-1]), np.uint8)
    old = np.ones(len(output), np.bool_)
    places = (ends - lengths - added)[single][:, None] + np.arange(_MULTI_HEADER_NBYTES)
    old[places] = False
    output[old] = data[offsets[0] : offsets[-1]]
    output[places] = _multi_headers(found.base[single] + 3 + 1000 * found.has_z[single])
    new_offsets = np.concatenate([[0], ends]).astype(np.int32)
    valid = pa.array(~found.is_null).buffers()[1] if wkb.null_count else None
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(wkb), [valid, pa.py_buffer(new_offsets), pa.py_buffer(output)], wkb.null_count
    )


def _multi_headers(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return byte order, type and a count of one for each."""
    rows = np.zeros((len(codes), _MULTI_HEADER_NBYTES), np.uint8)
    rows[:, 0] = 1
    rows[:, 1:5] = codes.astype("<u4").view(np.uint8).reshape(-1, 4)
    rows[:, 5] = 1
    return rows


def _with_z(wkb: pa.BinaryArray) -> pa.BinaryArray:
    """Add heights through GEOS, which costs more, to the few batches that need it."""
    geometries = shapely.from_wkb(np.asarray(wkb.to_numpy(zero_copy_only=False), dtype=object))
    flat = ~shapely.has_z(geometries) & ~shapely.is_missing(geometries)
    geometries[flat] = shapely.force_3d(geometries[flat], z=0.0)
    return pa.array(shapely.to_wkb(geometries, byte_order=1, flavor="iso"), type=pa.binary())
