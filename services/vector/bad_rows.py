"""A file of which too much is damaged is refused, whoever finds the damage."""

from collections.abc import Iterable
from typing import Final

from core.errors import TaskFailed
from services.vector.codes import (
    BAD_ROWS,
    COORDINATES_MALFORMED,
    COORDINATES_NOT_FINITE,
    COORDINATES_OUT_OF_RANGE,
    GEOMETRY_MALFORMED,
    GEOMETRY_UNUSABLE,
    NOT_REPROJECTABLE,
    ROW_MALFORMED,
)
from services.vector.models import Dropped

# Rows that are damaged; the others are dropped because the caller wants it so.
_BAD: Final = {
    code.code: code
    for code in (
        COORDINATES_MALFORMED,
        COORDINATES_NOT_FINITE,
        COORDINATES_OUT_OF_RANGE,
        GEOMETRY_MALFORMED,
        GEOMETRY_UNUSABLE,
        NOT_REPROJECTABLE,
        ROW_MALFORMED,
    )
}
# Where all rows are damaged alike, it is seldom the rows that are wrong.
_OF_THE_CRS: Final = frozenset({COORDINATES_OUT_OF_RANGE.code, NOT_REPROJECTABLE.code})


def refuse_if_bad(dropped: Iterable[Dropped], rows_read: int, max_bad_rows_percent: float) -> None:
    """Refuse a file of which too much is damaged.

    Args:
        dropped: One entry for each reason.
        rows_read: How many rows the file has.
        max_bad_rows_percent: The share of them that may be damaged.

    Raises:
        TaskFailed: ``vector.bad_rows``, with the first rows of each reason.
    """
    bad = [reason for reason in dropped if reason.code in _BAD]
    count = sum(reason.count for reason in bad)
    if not count or count <= rows_read * max_bad_rows_percent / 100:
        return
    listed = ". ".join(f"{reason.message} (rows {_listed(reason)}){_hint(reason)}" for reason in bad)
    raise TaskFailed(
        BAD_ROWS,
        f"{count:,} of {rows_read:,} rows cannot be used, more than {max_bad_rows_percent:g} %. {listed}",
        bad_rows=count,
        rows_read=rows_read,
        dropped=[reason.model_dump() for reason in bad],
    )


def _hint(reason: Dropped) -> str:
    return f". {_BAD[reason.code].remedy.removesuffix('.')}" if reason.code in _OF_THE_CRS else ""


def _listed(reason: Dropped) -> str:
    more = ", ..." if reason.count > len(reason.feature_ids) else ""
    return ", ".join(map(str, reason.feature_ids)) + more
