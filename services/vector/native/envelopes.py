"""Boxes of geometries that the fast path does not take, so that they count for the extent."""

import ctypes

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from services.vector.native.drivers import GDAL
from services.vector.wkb import LAST_SIMPLE, headers


class _Envelope(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in ("west", "east", "south", "north")]


def envelopes(wkb: pa.BinaryArray) -> NDArray[np.float64]:
    """Return boxes, shape (n, 4): xmin, ymin, xmax, ymax; of arcs, not of the points on them."""
    found = headers(wkb)
    values = wkb.to_numpy(zero_copy_only=False)
    bounds = np.full((len(wkb), 4), np.nan)
    linear = (found.base >= 1) & (found.base < LAST_SIMPLE)
    bounds[linear] = shapely.bounds(shapely.from_wkb(values[linear], on_invalid="ignore"))
    for place in np.flatnonzero(~linear):
        bounds[place] = _envelope(values[place])
    return bounds


def _envelope(wkb: bytes) -> tuple[float, float, float, float]:
    handle, box = ctypes.c_void_p(), _Envelope()
    if GDAL.OGR_G_CreateFromWkb(wkb, None, ctypes.byref(handle), len(wkb)) != 0:
        return np.nan, np.nan, np.nan, np.nan
    try:
        GDAL.OGR_G_GetEnvelope(handle, ctypes.byref(box))
    finally:
        GDAL.OGR_G_DestroyGeometry(handle)
    return box.west, box.south, box.east, box.north
