"""Decode every pixel of a source once, in bounded memory.

A damaged block in the middle of a file shows only when it is decoded, and which integers are
unused only when all were seen. Decoding costs about a tenth of what the warp and the compression
cost afterwards, so all of it is done, and the decimated look is taken on the way.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rasterio.windows import Window

from services.raster.native.blocks import Array, BlockTable, look_step, read_window, windows
from services.raster.native.source import Source

Mask = npt.NDArray[np.bool_]

_LOOK_EDGE: Final = 1024
_LOOK_BYTES: Final = 64 * 2**20
# numpy counts in integers of eight bytes, which for a whole window would take 256 MiB.
_COUNTED_AT_ONCE: Final = 2**18


@dataclass
class Look:
    """What was seen.

    Args:
        step: Stride of the sample in both directions.
        sample: Every `step`-th pixel of every `step`-th row, shape (bands, rows, columns).
        valid: Same shape; False where a pixel is nodata, masked, transparent or not finite.
        minimum: Least valid value of each band over all pixels, NaN where none is valid.
        maximum: Greatest, likewise.
        any_valid: Whether any pixel is valid.
        any_nan: Whether any pixel is NaN.
        unused: An integer that no pixel has, if validity is not declared and there is one.
    """

    step: int
    sample: Array
    valid: Mask
    minimum: npt.NDArray[np.float64]
    maximum: npt.NDArray[np.float64]
    any_valid: bool = False
    any_nan: bool = False
    unused: int | None = None

    @property
    def constant(self) -> bool:
        """Whether each band holds one value only."""
        return self.any_valid and not self.any_nan and bool(np.all(self.minimum == self.maximum))


def look_at(source: Source, progress: Callable[[float], None]) -> Look:
    """Decode every block of a source and return what was seen.

    Raises:
        TaskFailed: ``raster.truncated`` or ``raster.corrupt``, with the rows that fail.
    """
    dataset = source.dataset
    blocks = BlockTable(dataset)
    blocks.check_extent()
    look = _empty_look(source)
    presence = Presence(source)
    for window in windows(dataset):
        absent = blocks.absent_pixels(window)
        pixels = read_window(dataset, window) if absent is None else absent
        valid = validity_mask(source, window, pixels)
        _record_range(look, source, pixels[:, :1, :1] if absent is not None else pixels, valid)
        _record_sample(look, window, pixels, valid)
        presence.record(pixels if absent is None else pixels[:, :1, :1])
        progress((window.row_off + window.height) / dataset.height)
    look.unused = presence.unused(look)
    return look


def validity_mask(source: Source, window: Window, pixels: Array) -> Mask | None:
    """Return which pixels of a window are valid, shape of `pixels`; None if all are."""
    valid: Mask | None = None
    if source.is_float:
        valid = np.isfinite(pixels)
    if source.validity == "nodata":
        different: Mask = pixels != np.asarray(source.nodata).astype(source.dtype)
        valid = different if valid is None else valid & different
    elif source.validity == "alpha" and source.alpha_band is not None:
        opaque = np.broadcast_to(pixels[source.alpha_band - 1] != 0, pixels.shape)
        valid = opaque if valid is None else valid & opaque
    elif source.validity == "mask":
        unmasked = source.dataset.read_masks(window=window) != 0
        valid = unmasked if valid is None else valid & unmasked
    return valid


def _empty_look(source: Source) -> Look:
    dataset = source.dataset
    itemsize = np.dtype(source.dtype).itemsize
    edge = min(_LOOK_EDGE, math.isqrt(_LOOK_BYTES // (dataset.count * itemsize)))
    step = look_step(dataset.height, dataset.width, edge)
    shape = (dataset.count, math.ceil(dataset.height / step), math.ceil(dataset.width / step))
    return Look(
        step=step,
        sample=np.zeros(shape, source.dtype),
        valid=np.zeros(shape, bool),
        minimum=np.full(dataset.count, np.nan),
        maximum=np.full(dataset.count, np.nan),
    )


def _record_range(look: Look, source: Source, pixels: Array, valid: Mask | None) -> None:
    if valid is not None and valid.shape != pixels.shape:
        valid = valid[:, :1, :1]
    if source.is_float and not look.any_nan:
        look.any_nan = bool(np.isnan(pixels).any())
    if valid is not None and not valid.any():
        return
    look.any_valid = True
    for band in range(pixels.shape[0]):
        values = pixels[band] if valid is None else pixels[band][valid[band]]
        if values.size:
            look.minimum[band] = np.fmin(look.minimum[band], float(values.min()))
            look.maximum[band] = np.fmax(look.maximum[band], float(values.max()))


def _record_sample(look: Look, window: Window, pixels: Array, valid: Mask | None) -> None:
    step = look.step
    top, left = -window.row_off % step, -window.col_off % step
    seen = pixels[:, top::step, left::step]
    row, column = (window.row_off + top) // step, (window.col_off + left) // step
    target = np.s_[:, row : row + seen.shape[1], column : column + seen.shape[2]]
    look.sample[target] = seen
    look.valid[target] = True if valid is None else valid[:, top::step, left::step]


class Presence:
    """Which values of an integer type occur in any band, where that must be known.

    It must where no validity is declared: a warp then needs a value for its empty corners.
    """

    def __init__(self, source: Source) -> None:
        self._wanted = source.validity == "none" and not source.is_float
        self._limits = np.iinfo(source.dtype) if self._wanted else None
        self._itemsize = np.dtype(source.dtype).itemsize
        self._present = np.zeros(2 ** (8 * self._itemsize) if self._itemsize <= 2 else 0, bool)

    def record(self, pixels: Array) -> None:
        """Note the values of a window."""
        if not self._wanted or self._itemsize > 2 or self._present.all():
            return
        unsigned: Any = np.uint8 if self._itemsize == 1 else np.uint16
        values = np.ascontiguousarray(pixels).view(unsigned).ravel()
        for start in range(0, values.size, _COUNTED_AT_ONCE):
            part = values[start : start + _COUNTED_AT_ONCE]
            self._present |= np.bincount(part, minlength=len(self._present)) > 0

    def unused(self, look: Look) -> int | None:
        """Return a value that no pixel has: below all, else above all, else between."""
        if self._limits is None or not look.any_valid:
            return None
        if look.minimum.min() > self._limits.min:
            return int(self._limits.min)
        if look.maximum.max() < self._limits.max:
            return int(self._limits.max)
        gaps = np.flatnonzero(~self._present)
        if not gaps.size:
            return None
        unsigned: Any = np.uint8 if self._itemsize == 1 else np.uint16
        return int(gaps.astype(unsigned).view(np.dtype(self._limits.dtype))[-1])
