"""Every row that was read is in the table or was dropped for a reason; nothing else is published."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.errors import TaskFailed
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
        self._drop(self.prepared.dropped)

    def add(self, chunk: LoadedChunk) -> None:
        """Note what loading a chunk did."""
        self.chunks += 1
        self.rows += chunk.rows
        self.nbytes += chunk.nbytes
        self.seconds += chunk.seconds
        self.repaired.update(chunk.repaired)
        self._drop(chunk.dropped)

    @property
    def rows_dropped(self) -> int:
        """Return how many rows were dropped."""
        return sum(one.count for one in self.dropped.values())

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

    def _drop(self, dropped: Iterable[Dropped]) -> None:
        for one in dropped:
            before = self.dropped.get(one.code)
            self.dropped[one.code] = one if before is None else _together(before, one)


def _together(before: Dropped, more: Dropped) -> Dropped:
    ids = [*before.feature_ids, *more.feature_ids][:_FIRST]
    return before.model_copy(update={"count": before.count + more.count, "feature_ids": ids})
