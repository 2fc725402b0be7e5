"""Where the blocks of a raster lie in its file, and how to read them in bounded memory."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rasterio.enums import Interleaving
from rasterio.io import DatasetReader
from rasterio.windows import Window

from core.errors import TaskFailed
from services.raster.codes import CORRUPT, TRUNCATED
from services.raster.native.gdal_errors import GDAL_ERRORS
from services.raster.native.opening import without_paths

Array = npt.NDArray[Any]

_WINDOW_BYTES: Final = 32 * 2**20


def windows(dataset: DatasetReader) -> Iterator[Window]:
    """Cut a raster into windows of whole blocks, of 32 MiB or of one block."""
    block_height, block_width = dataset.block_shapes[0]
    pixel_bytes = sum(np.dtype(dtype).itemsize for dtype in dataset.dtypes)
    budget = max(1, _WINDOW_BYTES // pixel_bytes)
    width = dataset.width
    if width * block_height > budget:
        width = max(block_width, budget // block_height // block_width * block_width)
    height = max(block_height, budget // width // block_height * block_height)
    for row in range(0, dataset.height, height):
        for column in range(0, dataset.width, width):
            yield Window(column, row, min(width, dataset.width - column), min(height, dataset.height - row))


def read_window(dataset: DatasetReader, window: Window) -> Array:
    """Read all bands of a window.

    Raises:
        TaskFailed: ``raster.corrupt``: a block cannot be decoded.
    """
    try:
        return np.asarray(dataset.read(window=window))
    except GDAL_ERRORS as error:
        reason = without_paths(str(error.__cause__ or error), Path(dataset.name).parent)
        raise TaskFailed(
            CORRUPT,
            f"rows {window.row_off} to {window.row_off + window.height}: {reason}",
            row=int(window.row_off),
            column=int(window.col_off),
        ) from error


class BlockTable:
    """Where the blocks of a TIFF lie, as its directory says; knows nothing of other formats.

    Args:
        dataset: The raster, opened by path.
    """

    def __init__(self, dataset: DatasetReader) -> None:
        self._dataset = dataset
        self._tiff = dataset.driver == "GTiff"
        self._height, self._width = dataset.block_shapes[0]

    def check_extent(self) -> None:
        """Refuse a file that ends before its last block, without decoding anything.

        Raises:
            TaskFailed: ``raster.truncated``.
        """
        if not self._tiff:
            return
        nbytes = Path(self._dataset.name).stat().st_size
        last = max((sum(entry) for entry in self._entries() if entry), default=0)
        if last > nbytes:
            raise TaskFailed(
                TRUNCATED, f"pixels reach to byte {last}, the file ends at {nbytes}", missing=last - nbytes
            )

    def absent_pixels(self, window: Window) -> Array | None:
        """Return the pixels of a window of which no block is in the file, None for others.

        A sparse file may claim a size that would take hours to read. The driver fills such blocks
        with nodata or zero, and one pixel of them says as much as all.
        """
        if not self._tiff or any(self._entry(*place) for place in self._places(window)):
            return None
        first = read_window(self._dataset, Window(window.col_off, window.row_off, 1, 1))
        return np.broadcast_to(first, (self._dataset.count, int(window.height), int(window.width)))

    def _places(self, window: Window) -> Iterator[tuple[int, int, int]]:
        rows = range(window.row_off // self._height, -(-(window.row_off + window.height) // self._height))
        columns = range(window.col_off // self._width, -(-(window.col_off + window.width) // self._width))
        # Bands that are stored one after the other have blocks of their own.
        separate = self._dataset.interleaving == Interleaving.band
        bands = self._dataset.indexes if separate else (1,)
        return ((row, column, band) for row in rows for column in columns for band in bands)

    def _entries(self) -> Iterator[tuple[int, int] | None]:
        whole = Window(0, 0, self._dataset.width, self._dataset.height)
        return (self._entry(*place) for place in self._places(whole))

    def _entry(self, row: int, column: int, band: int) -> tuple[int, int] | None:
        """Return offset and size of a block in bytes, None if it is not in the file."""
        offset = self._dataset.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band)
        if offset is None:
            return None
        size = self._dataset.get_tag_item(f"BLOCK_SIZE_{column}_{row}", "TIFF", bidx=band)
        return int(offset), int(size or 0)


def look_step(height: int, width: int, edge: int) -> int:
    """Return the stride at which at most `edge` pixels of the longer side remain."""
    return max(1, math.ceil(max(height, width) / edge))
