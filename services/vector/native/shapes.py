"""Geometries of some rows of a batch, on their way from one step to the next."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from core.errors import ErrorCode
from services.vector.codes import GEOMETRY_MALFORMED
from services.vector.native.ledger import Ledger

#: How many rows of a kind are told of.
EXAMPLES: Final = 10
COLLECTION: Final = 7
POLYGONAL: Final = (3, 6)


class Shapes:
    """Rows and their geometries; steps replace geometries and drop rows.

    Args:
        rows: Positions in the batch, ascending.
        fids: Feature ids of the batch, all of them.
        geometries: One a row; no step leaves None here.
        ledger: Where drops and repairs are counted.
    """

    def __init__(
        self,
        rows: NDArray[np.intp],
        fids: NDArray[np.int64],
        geometries: NDArray[np.object_],
        ledger: Ledger,
    ) -> None:
        self.rows = rows
        self.geometries = geometries
        self.ledger = ledger
        self._fids = fids

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def fids(self) -> NDArray[np.int64]:
        """Return the feature ids of the rows that are left."""
        left: NDArray[np.int64] = self._fids[self.rows]
        return left

    def drop(
        self, gone: NDArray[np.bool_], code: ErrorCode, example: Callable[[int], str] | None = None
    ) -> None:
        """Leave rows out.

        Args:
            gone: A mask over the rows that are left.
            code: Why.
            example: Says of a position what is wrong with it; asked for the first ones.
        """
        places = np.flatnonzero(gone)
        if not len(places):
            return
        examples = [example(int(place)) for place in places[:EXAMPLES]] if example else []
        self.ledger.drop(code, self.fids[places].tolist(), examples)
        self.rows, self.geometries = self.rows[~gone], self.geometries[~gone]

    def replace(self, places: NDArray[np.bool_], geometries: NDArray[np.object_]) -> None:
        """Put other geometries in some places."""
        self.geometries[places] = geometries


def read_shapes(
    rows: NDArray[np.intp], fids: NDArray[np.int64], wkb: pa.BinaryArray, ledger: Ledger
) -> Shapes:
    """Parse WKB; rings that are not closed are closed, what cannot be parsed is dropped."""
    raw = wkb.take(pa.array(rows)).to_numpy(zero_copy_only=False) if len(rows) < len(wkb) else None
    values = wkb.to_numpy(zero_copy_only=False) if raw is None else raw
    shapes = Shapes(rows, fids, shapely.from_wkb(values, on_invalid="ignore"), ledger)
    unread = shapely.is_missing(shapes.geometries)
    if not unread.any():
        return shapes
    closed = shapely.from_wkb(values[unread], on_invalid="fix")
    shapes.replace(unread, closed)
    ledger.repair("ring_closed", int((~shapely.is_missing(closed)).sum()))
    shapes.drop(shapely.is_missing(shapes.geometries), GEOMETRY_MALFORMED)
    return shapes


def applied(
    function: Callable[[NDArray[np.object_]], NDArray[np.object_]], geometries: NDArray[np.object_]
) -> NDArray[np.object_]:
    """Return what GEOS makes of geometries, and None for each of which it says that it cannot."""
    try:
        return function(geometries)
    except shapely.errors.GEOSException:
        return np.array([_applied_to_one(function, each) for each in geometries], dtype=object)


def _applied_to_one(
    function: Callable[[NDArray[np.object_]], NDArray[np.object_]], geometry: shapely.Geometry
) -> shapely.Geometry | None:
    try:
        made: shapely.Geometry = function(np.array([geometry], dtype=object))[0]
    except shapely.errors.GEOSException:
        return None
    return made


def has_curves(collection: shapely.Geometry) -> bool:
    """Tell whether curves lie within a collection, whose header does not say so."""
    try:
        parts = shapely.get_parts(collection)
    except NotImplementedError:
        return True
    return any(has_curves(part) for part in parts if shapely.get_type_id(part) == COLLECTION)
