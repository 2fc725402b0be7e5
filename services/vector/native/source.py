"""What every reader gives: fields that are known at the start, and batches of rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.vector.models import LayerSummary
from services.vector.native.crs import OwnCrs


@dataclass(frozen=True)
class Field:
    """An attribute as the reader gives it.

    Args:
        name: As the file has it.
        type: Of the arrays in batches.
        is_json: Whether its text is JSON.
        note: What the reader did to it.
    """

    name: str
    type: pa.DataType
    is_json: bool = False
    note: str | None = None


_WIDTHS: Final = {pa.int16(): 0, pa.int32(): 1, pa.int64(): 2, pa.float32(): 3, pa.float64(): 4}


def wider(one: Field, other: Field) -> Field:
    """Return a field that takes the values of both: a wider number, or else text."""
    if (one.type, one.is_json) == (other.type, other.is_json):
        return one
    kinds = {one.type, other.type}
    if not kinds <= _WIDTHS.keys():
        return Field(one.name, pa.string(), note="layers have it in different types")
    widest = max(kinds, key=lambda kind: _WIDTHS[kind])
    # Single precision holds integers of 16 bits exactly, and no wider ones.
    loses = widest == pa.float32() and not kinds <= {pa.float32(), pa.int16()}
    return Field(one.name, pa.float64() if loses else widest)


@dataclass(frozen=True)
class Batch:
    """Some rows.

    Args:
        fids: Feature ids.
        geometries: WKB or EWKB, or null.
        attributes: One array a field, in order.
    """

    fids: NDArray[np.int64]
    geometries: pa.BinaryArray
    attributes: list[pa.Array]


class Source(Protocol):
    """An open file."""

    @property
    def layers(self) -> list[LayerSummary]:
        """Return the layers that will be read."""
        ...

    @property
    def fields(self) -> list[Field]:
        """Return the attributes."""
        ...

    @property
    def crs(self) -> OwnCrs:
        """Return what the file says of its CRS."""
        ...

    def batches(self) -> Iterator[Batch]:
        """Read everything, once; rows that the format itself spoils are dropped in the ledger."""
        ...
