"""When the rows are: earliest and latest value of columns of time."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.json import rfc3339
from services.vector.models import TemporalExtent
from services.vector.native.fields import Column

_KINDS = frozenset({"date", "timestamp", "timestamptz"})


class TemporalExtents:
    """Takes batches and keeps the extremes.

    Args:
        columns: All of the table's.
        wanted: Names in the table of those that count.
    """

    def __init__(self, columns: Sequence[Column], wanted: Sequence[str]) -> None:
        self._extremes: dict[str, tuple[Any, Any]] = {}
        self._names = [
            each.description.name
            for each in columns
            if each.description.type in _KINDS and each.description.name in wanted
        ]

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows of a chunk."""
        for name in self._names:
            found = pc.min_max(batch.column(name)).as_py()
            if found["min"] is None:
                continue
            low, high = self._extremes.get(name, (found["min"], found["max"]))
            self._extremes[name] = (min(low, found["min"]), max(high, found["max"]))

    def result(self) -> list[TemporalExtent]:
        """Return the extents of columns that have values."""
        return [
            TemporalExtent(column=name, start=_text(low), end=_text(high))
            for name, (low, high) in self._extremes.items()
        ]


def _text(moment: date | datetime) -> str:
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return rfc3339(moment.astimezone(UTC))
    return moment.isoformat()
