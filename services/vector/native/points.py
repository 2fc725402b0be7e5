"""Points as well-known binary, made from two columns of numbers at once."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_POINT: Final = np.dtype([("order", "u1"), ("type", "<u4"), ("x", "<f8"), ("y", "<f8")])


def point_wkb(x: NDArray[np.float64], y: NDArray[np.float64], there: NDArray[np.bool_]) -> pa.BinaryArray:
    """Return little-endian ISO WKB; null where `there` is false."""
    points = np.empty(int(there.sum()), _POINT)
    points["order"], points["type"] = 1, 1
    points["x"], points["y"] = x[there], y[there]
    offsets = np.concatenate([[0], np.cumsum(there * _POINT.itemsize)]).astype(np.int32)
    valid = pa.array(there).buffers()[1] if not there.all() else None
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(there), [valid, pa.py_buffer(offsets), pa.py_buffer(points.tobytes())]
    )
