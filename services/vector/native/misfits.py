"""Values that are not of their column's type, of which OGR makes others without a word."""

from collections import Counter
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.findings import Findings
from services.vector.codes import VALUES_CHANGED

Ids = NDArray[np.int64]


class StoredColumns(Protocol):
    """The columns of a layer as they are stored."""

    def fitting(self, column: str, values: pa.Array, fids: Ids) -> pa.Array:
        """Return the values of a batch, with NULL in the place of those that do not fit.

        Args:
            column: Name.
            values: As OGR has them.
            fids: Feature ids of the batch.
        """
        ...

    def report(self, findings: Findings) -> None:
        """Say what was changed."""
        ...


class Nulled:
    """Counts the values that became NULL, by column."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def without(self, column: str, values: pa.Array, is_misfit: NDArray[np.bool_]) -> pa.Array:
        """Return the values without those that do not fit."""
        self._counts[column] += int(is_misfit.sum())
        return pc.if_else(pa.array(is_misfit), pa.scalar(None, values.type), values)

    def report(self, findings: Findings) -> None:
        """Warn of each column that has lost values."""
        for name, count in self._counts.items():
            if count:
                message = f"{count:,} values of {name!r} are not of the column's type and became NULL"
                findings.add("warning", VALUES_CHANGED, message)


def is_epoch(values: pa.Array) -> NDArray[np.bool_]:
    """Tell which are the first moment of 1970, which is what OGR makes of a text that is no time."""
    counted = values.cast(pa.int32() if pa.types.is_date32(values.type) else pa.int64())
    return np.asarray(pc.fill_null(pc.equal(counted, 0), False))
