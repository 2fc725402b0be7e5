"""From the geometries of a file to those of a table, batch by batch.

Rows that are clean need a reprojection only. For the others the order is: parse, two dimensions,
empty, not finite, out of range, repair, reproject, antimeridian, simplify, round, ring order. What
PostGIS has to do itself is told apart first.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from core.vector_options import GeometryOptions
from services.vector.codes import (
    COORDINATES_OUT_OF_RANGE,
    GEOMETRY_COLLAPSED,
    GEOMETRY_EMPTY,
    GEOMETRY_MALFORMED,
    GEOMETRY_NULL,
)
from services.vector.native import antimeridian, repair
from services.vector.native.clean import CleanRows, clean_rows, crosses_map
from services.vector.native.envelopes import envelopes
from services.vector.native.extent import Extent
from services.vector.native.ledger import Ledger
from services.vector.native.reprojection import Reprojection, extremes
from services.vector.native.shapes import COLLECTION, EXAMPLES, Shapes, applied, has_curves, read_shapes
from services.vector.native.source import Batch
from services.vector.wkb import LAST_SIMPLE, Headers, TypeSet, headers


@dataclass(frozen=True)
class PreparedRows:
    """Rows of a batch that go on, in order.

    Args:
        rows: Their positions in the batch.
        wkb: Their geometries, little-endian ISO WKB or null.
    """

    rows: NDArray[np.intp]
    wkb: pa.BinaryArray


@dataclass(frozen=True)
class Looked:
    """What a look at a batch by itself tells.

    Args:
        found: Headers of its geometries.
        clean: Rows that are done with; None if the options ask for more.
    """

    found: Headers
    clean: CleanRows | None


class GeometryPipeline:
    """Prepares geometries and remembers what they are and where they lie.

    Args:
        options: What the caller wants.
        is_flat: Whether Z and M are left out.
        reprojection: From the file's CRS to the table's.
        ledger: Where drops and repairs are counted.
    """

    def __init__(
        self, options: GeometryOptions, reprojection: Reprojection, ledger: Ledger, *, is_flat: bool
    ) -> None:
        self._options = options
        self._is_flat = is_flat
        self._reprojection = reprojection
        self._ledger = ledger
        self.types = TypeSet()
        self.extent = Extent(reprojection.target)
        self.any_geometry = False

    def look(self, batch: Batch) -> Looked:
        """Do what depends on no other batch, most of the work by far; threads may do it side by side."""
        found = headers(batch.geometries)
        return Looked(
            found, clean_rows(batch.geometries, found, self._reprojection) if self._is_short else None
        )

    def run(self, batch: Batch, looked: Looked) -> tuple[PreparedRows, PreparedRows]:
        """Return the rows of the fast path and those of the SQL path; to be called batch after batch."""
        found, clean = looked.found, looked.clean
        malformed = (found.base == 0) & ~found.is_null
        self._ledger.drop(GEOMETRY_MALFORMED, batch.fids[malformed].tolist())
        for_sql = ~found.is_simple & (found.base > 0)
        if self._is_flat:
            for_sql &= found.base > LAST_SIMPLE
        simple = (found.base > 0) & ~for_sql
        if clean is not None:
            self.extent.add(clean.bounds[clean.is_clean])
        rest = simple if clean is None else simple & ~clean.is_clean
        shapes = read_shapes(np.flatnonzero(rest), batch.fids, batch.geometries, self._ledger)
        curved = self._curved_collections(shapes, found.base)
        self._process(shapes)
        sql_rows = np.sort(np.concatenate([np.flatnonzero(for_sql), curved]))
        nulls = self._nulls(np.flatnonzero(found.is_null), batch.fids)
        return self._fast(shapes, nulls, clean), self._for_sql(sql_rows, batch)

    @property
    def _is_short(self) -> bool:
        """Tell whether clean rows need a reprojection at most."""
        options = self._options
        return not (self._is_flat or options.simplify or options.quantize)

    @property
    def _splits(self) -> bool:
        return self._options.antimeridian == "split" and self._reprojection.target.is_geographic

    def _curved_collections(self, shapes: Shapes, base: NDArray[np.uint32]) -> NDArray[np.intp]:
        """Take collections with curves in them out of `shapes` and return their rows."""
        is_curved = base[shapes.rows] == COLLECTION
        for place in np.flatnonzero(is_curved):
            is_curved[place] = has_curves(shapes.geometries[place])
        rows: NDArray[np.intp] = shapes.rows[is_curved]
        shapes.rows, shapes.geometries = shapes.rows[~is_curved], shapes.geometries[~is_curved]
        return rows

    def _nulls(self, rows: NDArray[np.intp], fids: NDArray[np.int64]) -> NDArray[np.intp]:
        if self._options.null == "keep":
            return rows
        self._ledger.drop(GEOMETRY_NULL, fids[rows].tolist())
        return rows[:0]

    def _process(self, shapes: Shapes) -> None:
        if self._is_flat:
            shapes.geometries = shapely.force_2d(shapes.geometries)
        if self._options.empty == "drop":
            shapes.drop(shapely.is_empty(shapes.geometries), GEOMETRY_EMPTY)
        repair.drop_not_finite(shapes)
        self._reprojection.drop_out_of_range(shapes)
        repair.make_valid(shapes)
        repair.remove_repeated_points(shapes)
        self._reprojection.transform(shapes)
        self._cross_antimeridian(shapes)
        self._generalise(shapes)
        # What was valid before may not be so with other coordinates, or with fewer.
        repair.make_valid(shapes, "repaired_again")
        repair.orient_rings(shapes)

    def _cross_antimeridian(self, shapes: Shapes) -> None:
        if not self._reprojection.target.is_geographic:
            self.extent.add(shapely.bounds(shapes.geometries))
            return
        jumps = antimeridian.jumping(shapes.geometries)
        self.extent.add(antimeridian.unwrapped_bounds(shapes.geometries, jumps))
        if self._splits:
            antimeridian.split(shapes, jumps)

    def _generalise(self, shapes: Shapes) -> None:
        were_empty = shapely.is_empty(shapes.geometries)
        if simplify := self._options.simplify:
            shapes.geometries = applied(
                lambda some: np.asarray(
                    shapely.simplify(some, simplify.tolerance, preserve_topology=simplify.preserve_topology)
                ),
                shapes.geometries,
            )
        if quantize := self._options.quantize:
            shapes.geometries = applied(
                lambda some: np.asarray(shapely.set_precision(some, quantize.snap_to_grid)), shapes.geometries
            )
        if simplify or quantize:
            lost = shapely.is_missing(shapes.geometries)
            shapes.drop(lost | (shapely.is_empty(shapes.geometries) & ~were_empty), GEOMETRY_COLLAPSED)

    def _fast(self, shapes: Shapes, nulls: NDArray[np.intp], clean: CleanRows | None) -> PreparedRows:
        self.any_geometry |= bool(len(shapes))
        wkb = pa.array(shapely.to_wkb(shapes.geometries, byte_order=1, flavor="iso"), type=pa.binary())
        pieces = [(shapes.rows, wkb), (nulls, pa.nulls(len(nulls), pa.binary()))]
        if clean is not None and clean.is_clean.any():
            self.any_geometry = True
            rows = np.flatnonzero(clean.is_clean)
            every = len(rows) == len(clean.is_clean)
            pieces.append((rows, clean.wkb if every else clean.wkb.take(pa.array(rows))))
        prepared = _in_order([piece for piece in pieces if len(piece[0])])
        self.types.add(headers(prepared.wkb))
        return prepared

    def _for_sql(self, rows: NDArray[np.intp], batch: Batch) -> PreparedRows:
        wkb = batch.geometries.take(pa.array(rows))
        given = envelopes(wkb)
        # Infinite coordinates are left to PostGIS, which names them as such.
        gone = self._reprojection.is_out_of_range(given) & np.isfinite(given).all(axis=1)
        if gone.any():
            examples = [extremes(box) for box in given[gone][:EXAMPLES]]
            self._ledger.drop(COORDINATES_OUT_OF_RANGE, batch.fids[rows[gone]].tolist(), examples)
            rows, wkb, given = rows[~gone], wkb.filter(pa.array(~gone)), given[~gone]
        boxes = self._reprojection.transform_boxes(given)
        self.types.add(headers(wkb), may_split=self._splits and bool(crosses_map(boxes).any()))
        self.extent.add(boxes)
        self.any_geometry |= bool(len(rows))
        return PreparedRows(rows, wkb)


def _in_order(pieces: list[tuple[NDArray[np.intp], pa.BinaryArray]]) -> PreparedRows:
    """Put rows that went different ways back in the order in which they came."""
    if len(pieces) == 1:
        return PreparedRows(*pieces[0])
    if not pieces:
        return PreparedRows(np.zeros(0, np.intp), pa.array([], pa.binary()))
    rows = np.concatenate([each for each, _ in pieces])
    order = np.argsort(rows, kind="stable")
    return PreparedRows(rows[order], pa.concat_arrays([wkb for _, wkb in pieces]).take(pa.array(order)))
