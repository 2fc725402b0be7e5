"""What the points of rings tell without GEOS: their direction, and most often that they are valid."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.vector.native.coordinates import WkbCoordinates

# A thousand times what rounding can make of a product, as a share of the largest product that there can be.
_ROUNDING: Final = 1e-12

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RingLook:
    """What is seen of runs.

    Args:
        is_wrong: Outer rings that run clockwise, and holes that do not.
        is_star: Rings that run counter-clockwise once around their middle, all of their edges
            in sight of it, and so cannot cross or touch themselves.
    """

    is_wrong: Mask
    is_star: Mask


def look_at_rings(coordinates: WkbCoordinates, x: Floats, y: Floats, boxes: Floats) -> RingLook:
    """Look at the rings among runs of points.

    Most buildings and parcels are stars; GEOS needs several times as long to find them valid.

    Args:
        coordinates: Where the runs begin and end.
        x: First coordinates of all points.
        y: Second coordinates.
        boxes: Of the runs, shape (n, 4).
    """
    runs, first = coordinates.runs, coordinates.first
    if not runs.is_ring.any():
        nothing = np.zeros(len(first), np.bool_)
        return RingLook(nothing, nothing)
    last = first + runs.count - 1
    # Far from the origin the products would lose the area in rounding.
    dx = x - np.repeat(np.add.reduceat(x, first) / runs.count, runs.count)
    dy = y - np.repeat(np.add.reduceat(y, first) / runs.count, runs.count)
    turns = np.empty(len(x))
    turns[:-1] = dx[:-1] * dy[1:] - dx[1:] * dy[:-1]
    # What lies between the last point of a run and the first of the next is no edge.
    turns[last] = 0.0
    area = np.add.reduceat(turns, first)
    turns[last] = np.inf
    largest = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    is_seen = np.minimum.reduceat(turns, first) > _ROUNDING * largest
    is_closed = (x[first] == x[last]) & (y[first] == y[last])
    is_star = runs.is_ring & is_seen & is_closed & (_rounds(dy, first, last) == 1)
    wrong = np.where(runs.is_hole, area >= 0, area <= 0)
    return RingLook(wrong & runs.is_ring, is_star)


def _rounds(dy: Floats, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often runs that only turn left come up through the height of their middle."""
    below = dy < 0
    upward = np.zeros(len(dy), np.int8)
    upward[:-1] = below[:-1] & ~below[1:]
    upward[last] = 0
    rounds: NDArray[np.int64] = np.add.reduceat(upward, first, dtype=np.int64)
    return rounds
