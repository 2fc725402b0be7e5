"""Every row that was read is in the table or was dropped for a reason; nothing else is published."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.errors import TaskFailed
from services.vector import bad_rows
from services.vector.codes import ROWS_LOST
from services.vector.handover import LoadedChunk
from services.vector.models import Dropped, PreparedVector

_FIRST = 10


@dataclass
class Ledger:
    """What became of the rows of a file.

    Args:
        prepared: What the child says of them.
    """

    prepared: PreparedVector
    chunks: int = 0
    rows: int = 0
    nbytes: int = 0
    seconds: float = 0.0
    repaired: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, Dropped] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with what the child did."""
        self.repaired.update(self.prepared.repaired)
        self.dropped = _joined(self.prepared.dropped)

    def add(self, chunk: LoadedChunk) -> None:
        """Note what loading a chunk, or several of them, did."""
        self.chunks += chunk.chunks
        self.rows += chunk.rows
        self.nbytes += chunk.nbytes
        self.seconds += chunk.seconds
        self.repaired.update(chunk.repaired)
        self.dropped = _joined([*self.dropped.values(), *chunk.dropped])

    @property
    def rows_dropped(self) -> int:
        """Return how many rows were dropped."""
        return sum(one.count for one in self.dropped.values())

    def refuse_if_bad(self, max_bad_rows_percent: float) -> None:
        """Refuse a file of which the child and PostGIS together found too much damaged.

        Raises:
            TaskFailed: ``vector.bad_rows``, with the first rows of each reason.
        """
        most_frequent_first = sorted(self.dropped.values(), key=lambda each: -each.count)
        bad_rows.refuse_if_bad(most_frequent_first, self.prepared.rows_read, max_bad_rows_percent)

    def check(self, counted: int) -> None:
        """Compare with what is in the table.

        Raises:
            TaskFailed: ``vector.rows_lost``.
        """
        wanted = (len(self.prepared.chunks), self.prepared.rows_read, self.rows)
        if (self.chunks, self.rows + self.rows_dropped, counted) != wanted:
            raise TaskFailed(
                ROWS_LOST,
                f"{self.prepared.rows_read} rows were read; {self.rows} were loaded in {self.chunks} chunks "
                f"of {len(self.prepared.chunks)} and {self.rows_dropped} dropped; the table has {counted}.",
            )


def loaded_together(chunks: Iterable[LoadedChunk]) -> LoadedChunk | None:
    """Return what loads of several chunks come to; None if there was none."""
    total: LoadedChunk | None = None
    for chunk in chunks:
        total = chunk if total is None else _sum(total, chunk)
    return total


def _sum(one: LoadedChunk, other: LoadedChunk) -> LoadedChunk:
    return LoadedChunk(
        chunks=one.chunks + other.chunks,
        rows=one.rows + other.rows,
        replaced=one.replaced + other.replaced,
        nbytes=one.nbytes + other.nbytes,
        repaired=dict(Counter(one.repaired) + Counter(other.repaired)),
        dropped=list(_joined([*one.dropped, *other.dropped]).values()),
        seconds=round(one.seconds + other.seconds, 3),
    )


def _joined(dropped: Iterable[Dropped]) -> dict[str, Dropped]:
    """Return one entry for each reason."""
    joined: dict[str, Dropped] = {}
    for one in dropped:
        before = joined.get(one.code)
        joined[one.code] = one if before is None else _together(before, one)
    return joined


def _together(before: Dropped, more: Dropped) -> Dropped:
    ids = [*before.feature_ids, *more.feature_ids][:_FIRST]
    return before.model_copy(update={"count": before.count + more.count, "feature_ids": ids})
