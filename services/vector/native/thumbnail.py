"""Draw geometries as a small map, without any library for pictures.

Areas are filled by winding numbers: each edge adds its direction where it crosses the middle of a
row, and the running sum along the row says what lies inside. So a hole is empty, overlapping areas
are one, and the time is that of the edges whatever the number of features.
"""

import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import shapely

from core.isolation import Child
from services.vector.thumbnail_models import DrawThumbnail, ThumbnailDrawn

Array = npt.NDArray[Any]

# Drawn so many times larger, and averaged, so that edges are smooth.
_OVERSAMPLING: Final = 3
_MARGIN: Final = 0.03
_BATCH: Final = 5_000
# Points of edges that are looked at together.
_STEPS: Final = 1_000_000
_FILL: Final = np.array([142, 184, 214], np.float64)
_INK: Final = np.array([24, 74, 116], np.float64)
_FILL_ALPHA, _INK_ALPHA = 0.85, 1.0
# Of strokes and dots, in pixels of the larger grid.
_LINE_RADIUS, _POINT_RADIUS = 1, 5


class Canvas:
    """A grid of pixels over a piece of the plane.

    Args:
        bounds: West, south, east, north.
        squeeze: Length of a unit along x in units along y.
        size: Most pixels along either side.
    """

    def __init__(self, bounds: tuple[float, float, float, float], squeeze: float, size: int) -> None:
        west, south, east, north = bounds
        across, up = (east - west) * squeeze, north - south
        margin = max(across, up) * _MARGIN or 1.0
        scale = size * _OVERSAMPLING / (max(across, up) + 2 * margin)
        self._scale = np.array([scale * squeeze, -scale])
        self._origin = np.array([west - margin / squeeze, north + margin])
        self.width = _rounded((across + 2 * margin) * scale)
        self.height = _rounded((up + 2 * margin) * scale)
        # A column more than there is, for what ends at the right edge.
        self._winding = np.zeros((self.height, self.width + 1), np.int32)
        self._lines = np.zeros((self.height, self.width), bool)
        self._points = np.zeros((self.height, self.width), bool)

    def draw(self, geometries: Array) -> None:
        """Draw shapely's geometries of any types."""
        parts = shapely.get_parts(geometries)
        while (shapely.get_type_id(parts) == shapely.GeometryType.GEOMETRYCOLLECTION).any():
            parts = shapely.get_parts(parts)
        dimensions = shapely.get_dimensions(parts)
        polygons = shapely.orient_polygons(parts[dimensions == 2])
        self._fill(shapely.get_rings(polygons))
        self._stroke(shapely.get_rings(polygons))
        self._stroke(parts[dimensions == 1])
        self._dot(parts[dimensions == 0])

    def rgba(self) -> Array:
        """Return the picture, shape (rows, columns, 4), uint8."""
        inside = np.cumsum(self._winding, axis=1)[:, :-1] != 0
        lines = _widened(self._lines, _LINE_RADIUS) & ~_deep_inside(inside, self._lines)
        ink = _averaged(lines | _widened(self._points, _POINT_RADIUS))[..., None] * _INK_ALPHA
        fill = _averaged(inside)[..., None] * _FILL_ALPHA
        alpha = ink + fill * (1 - ink)
        mixed = _INK * ink + _FILL * fill * (1 - ink)
        colours = np.divide(mixed, alpha, where=alpha > 0, out=np.zeros_like(mixed))
        return np.concatenate([colours, alpha * 255], axis=2).round().astype(np.uint8)

    def _pixels(self, coordinates: Array) -> Array:
        return np.asarray((coordinates - self._origin) * self._scale)

    def _segments(self, lines: Array) -> tuple[Array, Array]:
        coordinates, index = shapely.get_coordinates(lines, return_index=True)
        pixels = self._pixels(coordinates)
        joined = index[1:] == index[:-1]
        return pixels[:-1][joined], pixels[1:][joined]

    def _fill(self, rings: Array) -> None:
        start, end = self._segments(rings)
        up = end[:, 1] < start[:, 1]
        top = np.where(up[:, None], end, start)
        bottom = np.where(up[:, None], start, end)
        # Rows whose middle lies between both ends.
        first = np.clip(np.ceil(top[:, 1] - 0.5), 0, self.height).astype(np.int64)
        last = np.clip(np.ceil(bottom[:, 1] - 0.5), 0, self.height).astype(np.int64)
        for edge, row in _ranges(first, last):
            share = (row + 0.5 - top[edge, 1]) / (bottom[edge, 1] - top[edge, 1])
            x = top[edge, 0] + share * (bottom[edge, 0] - top[edge, 0])
            column = np.clip(np.ceil(x - 0.5), 0, self.width).astype(np.int64)
            np.add.at(self._winding, (row, column), np.where(up[edge], 1, -1))

    def _stroke(self, lines: Array) -> None:
        start, end = self._segments(lines)
        steps = np.ceil(np.abs(end - start).max(axis=1, initial=0)).astype(np.int64) + 1
        for segment, step in _ranges(np.zeros_like(steps), steps + 1):
            share = (step / steps[segment])[:, None]
            self._mark(self._lines, start[segment] + share * (end[segment] - start[segment]))

    def _dot(self, points: Array) -> None:
        self._mark(self._points, self._pixels(shapely.get_coordinates(points)))

    def _mark(self, mask: Array, pixels: Array) -> None:
        column, row = np.floor(pixels[:, 0]).astype(np.int64), np.floor(pixels[:, 1]).astype(np.int64)
        seen = (column >= 0) & (column < self.width) & (row >= 0) & (row < self.height)
        mask[row[seen], column[seen]] = True


def draw_thumbnail(request: DrawThumbnail, child: Child) -> ThumbnailDrawn:
    """Write a PNG, transparent where nothing lies."""
    canvas = Canvas(request.bounds, request.squeeze, request.size)
    for geometries in _geometries(child.workspace / request.path):
        west = request.bounds[0]
        canvas.draw(_moved_east(geometries, west) if request.wrapped else geometries)
    output = child.workspace / request.output
    pixels = canvas.rgba()
    output.write_bytes(png(pixels))
    child.progress(1.0, "thumbnail drawn")
    return ThumbnailDrawn(
        path=request.output,
        height=pixels.shape[0],
        width=pixels.shape[1],
    )


def png(pixels: Array) -> bytes:
    """Return an image of shape (rows, columns, 4) as a PNG file.

    Source:
        W3C, Portable Network Graphics, sections 5 and 11.
    """
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    # Each row begins with the number of its filter; 0 is none.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _geometries(path: Path) -> Iterator[Array]:
    with path.open("rb") as file:
        while batch := list(itertools.islice(_blobs(file), _BATCH)):
            found = shapely.from_wkb(batch, on_invalid="ignore")
            yield found[~shapely.is_missing(found) & ~shapely.is_empty(found)]


def _blobs(file: BinaryIO) -> Iterator[bytes]:
    while length := file.read(4):
        yield file.read(struct.unpack("<I", length)[0])


def _moved_east(geometries: Array, west: float) -> Array:
    """Return geometries with what lies west of `west` a turn of the globe further east."""

    def move(coordinates: Array) -> Array:
        return coordinates + np.where(coordinates[:, :1] < west, [360.0, 0.0], [0.0, 0.0])

    return np.asarray(shapely.transform(geometries, move))


def _ranges(first: Array, last: Array) -> Iterator[tuple[Array, Array]]:
    """Yield every number from `first` up to `last`, and to which pair it belongs, some pairs at a time."""
    counts = np.maximum(last - first, 0)
    # Long edges of many features would take gigabytes at once.
    block = (np.cumsum(counts) - counts) // _STEPS
    edges = np.flatnonzero(np.diff(block, prepend=-1, append=block[-1:] + 1))
    for begin, end in itertools.pairwise(edges.tolist()):
        some = counts[begin:end]
        pair = np.repeat(np.arange(begin, end), some)
        offset = np.arange(len(pair)) - np.repeat(np.cumsum(some) - some, some)
        yield pair, first[pair] + offset


def _widened(mask: Array, radius: int) -> Array:
    wide = mask.copy()
    around = range(-radius, radius + 1)
    for down, across in itertools.product(around, around):
        if down**2 + across**2 <= radius**2:
            wide |= np.roll(mask, (down, across), (0, 1))
    return wide


def _deep_inside(inside: Array, lines: Array) -> Array:
    # Where lines cover nearly everything, they would hide what is filled.
    return inside if lines.mean() > 0.4 else np.zeros_like(inside)


def _averaged(mask: Array) -> Array:
    height, width = mask.shape
    blocks = mask.reshape(height // _OVERSAMPLING, _OVERSAMPLING, width // _OVERSAMPLING, _OVERSAMPLING)
    return np.asarray(blocks.mean(axis=(1, 3)))


def _rounded(length: float) -> int:
    return max(1, round(length / _OVERSAMPLING)) * _OVERSAMPLING
