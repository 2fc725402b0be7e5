"""Dates of a dBASE table that are none.

Registers write 19950000 for a day of 1995 that nobody knows. OGR's Arrow stream makes 1970 of it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from services.findings import Findings
from services.vector.native.misfits import Ids, Nulled, is_epoch

_HEADER_NBYTES: Final = 32
_FIELD_NBYTES: Final = 32
_END_OF_FIELDS: Final = b"\r"
# Of a field's description: where its type and its length are.
_TYPE, _LENGTH = 11, 16
_EPOCH: Final = b"19700101"


class DbfDates:
    """`services.vector.native.misfits.StoredColumns` for the table of a shapefile.

    Args:
        path: Of the table.
        fields: Its attributes as OGR has them, in the table's order.
    """

    def __init__(self, path: Path, fields: Sequence[pa.Field]) -> None:
        self._path = path
        self._nulled = Nulled()
        with path.open("rb") as file:
            header = file.read(_HEADER_NBYTES)
            self._first = int.from_bytes(header[8:10], "little")
            self._stride = int.from_bytes(header[10:12], "little")
            places = _places_of_dates(file.read(self._first - _HEADER_NBYTES))
        names = [field.name for field in fields if pa.types.is_date(field.type)]
        # Where OGR and this reader differ in what is a date, nothing can be said.
        self._places = dict(zip(names, places, strict=True)) if len(names) == len(places) else {}

    def fitting(self, column: str, values: pa.Array, fids: Ids) -> pa.Array:
        """Return the values of a batch, without dates that are none."""
        if column not in self._places:
            return values
        is_suspect = is_epoch(values)
        if not is_suspect.any():
            return values
        return self._nulled.without(column, values, np.isin(fids, self._misfits(column, fids[is_suspect])))

    def report(self, findings: Findings) -> None:
        """Say what was changed."""
        self._nulled.report(findings)

    def _misfits(self, column: str, fids: Ids) -> list[int]:
        offset, nbytes = self._places[column]
        with self._path.open("rb") as file:
            places = [self._first + fid * self._stride + offset for fid in fids.tolist()]
            texts = [os.pread(file.fileno(), nbytes, place) for place in places]
        return [fid for fid, text in zip(fids.tolist(), texts, strict=True) if _digits(text) != _EPOCH]


def _digits(text: bytes) -> bytes:
    return text.replace(b"/", b"").replace(b"-", b"").strip()


def _places_of_dates(descriptions: bytes) -> list[tuple[int, int]]:
    """Return offset in a row, and length in bytes, of each field of dates."""
    places, offset = [], 1
    for start in range(0, len(descriptions) - _FIELD_NBYTES + 1, _FIELD_NBYTES):
        field = descriptions[start : start + _FIELD_NBYTES]
        if field.startswith(_END_OF_FIELDS):
            break
        if field[_TYPE] == ord("D"):
            places.append((offset, field[_LENGTH]))
        offset += field[_LENGTH]
    return places
