"""The coordinates within well-known binary, read and written without making geometries of them.

Making GEOS geometries, taking their coordinates, putting others in and writing them out again costs
several times what the reprojection itself does; most rows need none of it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.vector.wkb import Headers, buffers

_POINT, _LINE, _POLYGON, _MULTI_LINE, _MULTI_POLYGON = 1, 2, 3, 5, 6
_ORDER_AND_TYPE: Final = 5
_COUNT: Final = 4
# Geometries of more parts than this are few, and left to GEOS.
_MOST_ROUNDS: Final = 256

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Runs:
    """Stretches of coordinates: a point, a line or a ring each.

    Args:
        start: Of the first coordinate, in bytes.
        count: Number of points.
        owner: Row.
        is_ring: Whether it is a ring.
        is_hole: Whether it is a ring within another one.
    """

    start: Integers
    count: Integers
    owner: Integers
    is_ring: Mask
    is_hole: Mask


class WkbCoordinates:
    """Longitudes or eastings and latitudes or northings of the rows that can be read so.

    Args:
        wkb: Little-endian ISO WKB.
        found: Its headers.
    """

    def __init__(self, wkb: pa.BinaryArray, found: Headers) -> None:
        offsets, data = buffers(wkb)
        self._wkb = wkb
        self._data = data
        self._stride = 16 + 8 * found.has_z.astype(np.int64)
        walk = _Walk(data, offsets.astype(np.int64), found, self._stride)
        self.is_read = walk.is_regular
        self.is_point = found.base == _POINT
        self.runs = _by_alignment(walk.runs())
        self._places = self._points()
        self.x = self._gather(0)
        self.y = self._gather(1)

    @property
    def first(self) -> Integers:
        """Return the position of each run's first point in `x` and `y`."""
        first: Integers = np.cumsum(self.runs.count) - self.runs.count
        return first

    def with_coordinates(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> pa.BinaryArray:
        """Return the same geometries at other places."""
        data = self._data.copy()
        for alignment, part in self._slices():
            view = _doubles(data, alignment)
            view[self._places[part]] = x[part]
            view[self._places[part] + 1] = y[part]
        valid, offsets, _ = self._wkb.buffers()
        return pa.BinaryArray.from_buffers(
            pa.binary(),
            len(self._wkb),
            [valid, offsets, pa.py_buffer(data)],
            offset=self._wkb.offset,
        )

    def _points(self) -> Integers:
        """Return where each point's first coordinate is, counted in doubles of its alignment."""
        runs = self.runs
        stride = self._stride[runs.owner] // 8
        start = np.repeat(runs.start // 8 - stride * self.first, runs.count)
        alike = len(stride) > 0 and stride.min() == stride.max()
        steps = stride[0] if alike else np.repeat(stride, runs.count)
        places: Integers = start + steps * np.arange(len(start))
        return places

    def _gather(self, axis: int) -> NDArray[np.float64]:
        values = np.empty(len(self._places))
        for alignment, part in self._slices():
            values[part] = _doubles(self._data, alignment)[self._places[part] + axis]
        return values

    def _slices(self) -> list[tuple[int, slice]]:
        """Return the points of each alignment, which lie together."""
        alignments = self.runs.start % 8
        edges = np.searchsorted(alignments, np.arange(9))
        ends = np.concatenate([[0], np.cumsum(self.runs.count)])[edges]
        return [(n, slice(int(ends[n]), int(ends[n + 1]))) for n in range(8) if ends[n] < ends[n + 1]]


def _by_alignment(runs: Runs) -> Runs:
    order = np.lexsort((runs.start, runs.start % 8))
    return Runs(
        runs.start[order], runs.count[order], runs.owner[order], runs.is_ring[order], runs.is_hole[order]
    )


def _doubles(data: NDArray[np.uint8], alignment: int) -> NDArray[np.float64]:
    return np.frombuffer(data, "<f8", (len(data) - alignment) // 8, alignment)


class _Walk:
    """Walks through all geometries at once, a part or a ring of each a round.

    Args:
        data: The bytes of all.
        offsets: Where each begins, and the end of the last.
        found: Their headers.
        stride: Bytes a point, by row.
    """

    def __init__(self, data: NDArray[np.uint8], offsets: Integers, found: Headers, stride: Integers) -> None:
        self._data = data
        self._stride = stride
        self._end = offsets[1:]
        self._cursor = offsets[:-1] + _ORDER_AND_TYPE
        self._base = found.base
        self._found: list[tuple[Integers, Integers, Integers, Mask, Mask]] = []
        kinds = (_POINT, _LINE, _POLYGON, _MULTI_LINE, _MULTI_POLYGON)
        self.is_regular = found.is_plain & np.isin(found.base, kinds) & ~found.has_m
        self._parts = np.zeros(len(stride), np.int64)
        self._rings = np.zeros(len(stride), np.int64)
        self._outer = np.ones(len(stride), np.bool_)
        self._begin()
        self._go_on()
        self.is_regular &= self._cursor == self._end

    def runs(self) -> Runs:
        """Return the stretches of the regular rows."""
        if not self._found:
            nothing, none = np.zeros(0, np.int64), np.zeros(0, np.bool_)
            return Runs(nothing, nothing, nothing, none, none)
        columns = [np.concatenate(each) for each in zip(*self._found, strict=True)]
        regular = self.is_regular[columns[2]]
        start, count, owner, is_ring, is_hole = (each[regular] for each in columns)
        return Runs(start, count, owner, is_ring, is_hole)

    def _begin(self) -> None:
        points = np.flatnonzero(self.is_regular & (self._base == _POINT))
        self._emit(points, self._cursor[points], np.ones(len(points), np.int64), is_ring=False)
        lines = self._able(self.is_regular & (self._base == _LINE))
        self._emit(lines, self._cursor[lines] + _COUNT, self._read_count(lines, 0), is_ring=False)
        polygons = self._able(self.is_regular & (self._base == _POLYGON))
        self._rings[polygons] = self._read_count(polygons, 0)
        multis = self._able(self.is_regular & (self._base > _POLYGON))
        self._parts[multis] = self._read_count(multis, 0)
        for rows in (polygons, multis):
            self._cursor[rows] += _COUNT

    def _go_on(self) -> None:
        for _ in range(_MOST_ROUNDS):
            in_ring = self.is_regular & (self._rings > 0)
            at_part = self.is_regular & (self._rings == 0) & (self._parts > 0)
            if not (in_ring.any() or at_part.any()):
                return
            self._take_rings(self._able(in_ring))
            self._open_parts(self._able(at_part, _ORDER_AND_TYPE))
        self.is_regular &= (self._rings == 0) & (self._parts == 0)

    def _take_rings(self, rows: Integers) -> None:
        self._emit(rows, self._cursor[rows] + _COUNT, self._read_count(rows, 0), is_ring=True)
        self._rings[rows] -= 1
        self._outer[rows] = False

    def _open_parts(self, rows: Integers) -> None:
        """Read the header of a line or polygon within a multi geometry."""
        expected = self._base[rows] - 3 + np.where(self._stride[rows] > 16, 1000, 0)
        alike = (self._data[self._cursor[rows]] == 1) & (self._read_count(rows, 1) == expected)
        self.is_regular[rows[~alike]] = False
        rows = rows[alike]
        self._parts[rows] -= 1
        self._cursor[rows] += _ORDER_AND_TYPE
        lines = rows[self._base[rows] == _MULTI_LINE]
        self._emit(lines, self._cursor[lines] + _COUNT, self._read_count(lines, 0), is_ring=False)
        polygons = rows[self._base[rows] == _MULTI_POLYGON]
        self._rings[polygons] = self._read_count(polygons, 0)
        self._cursor[polygons] += _COUNT
        self._outer[polygons] = True

    def _emit(self, rows: Integers, start: Integers, count: Integers, *, is_ring: bool) -> None:
        """Note a stretch of each row and move behind it; what would reach too far is irregular."""
        after = start + count * self._stride[rows]
        fits = (after <= self._end[rows]) & (count > 0)
        self.is_regular[rows[~fits]] = False
        rows = rows[fits]
        if not len(rows):
            return
        self._cursor[rows] = after[fits]
        rings = np.full(len(rows), is_ring)
        self._found.append((start[fits], count[fits], rows, rings, rings & ~self._outer[rows]))

    def _able(self, rows: Mask, further: int = 0) -> Integers:
        """Return rows that have a count, `further` bytes ahead, before their end."""
        fits = self._cursor + further + _COUNT <= self._end
        self.is_regular[rows & ~fits] = False
        return np.flatnonzero(rows & fits)

    def _read_count(self, rows: Integers, further: int) -> Integers:
        places = self._cursor[rows][:, None] + further + np.arange(_COUNT)
        counts: Integers = self._data[places].view("<u4")[:, 0].astype(np.int64)
        return counts
