"""The books of a file: every row that was read is prepared or dropped for a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from core.errors import ErrorCode
from services.vector import bad_rows
from services.vector.models import Dropped

_IDS_KEPT: Final = 10
_LONGEST_EXAMPLE: Final = 120


@dataclass
class _Reason:
    code: ErrorCode
    count: int = 0
    feature_ids: list[int] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def as_dropped(self) -> Dropped:
        shown = "; ".join(self.examples)
        message = f"{self.code.title}: {shown}" if shown else self.code.title
        return Dropped(code=self.code.code, message=message, count=self.count, feature_ids=self.feature_ids)


class Ledger:
    """Counts rows that are read, repaired and dropped."""

    def __init__(self) -> None:
        self.read = 0
        self.prepared = 0
        self.repaired: dict[str, int] = {}
        self._reasons: dict[str, _Reason] = {}

    def drop(self, code: ErrorCode, feature_ids: Sequence[int], examples: Sequence[str] = ()) -> None:
        """Count rows that are left out.

        Args:
            code: Why.
            feature_ids: Of all of them.
            examples: What is wrong with the first ones.
        """
        if not len(feature_ids):
            return
        reason = self._reasons.setdefault(code.code, _Reason(code))
        reason.count += len(feature_ids)
        room = _IDS_KEPT - len(reason.feature_ids)
        reason.feature_ids += [int(each) for each in feature_ids[:room]]
        room = _IDS_KEPT - len(reason.examples)
        reason.examples += [text[:_LONGEST_EXAMPLE] for text in examples[:room]]

    def repair(self, kind: str, count: int) -> None:
        """Count rows that were changed."""
        if count:
            self.repaired[kind] = self.repaired.get(kind, 0) + count

    def dropped(self) -> list[Dropped]:
        """Return the reasons, the most frequent first."""
        return [
            reason.as_dropped() for reason in sorted(self._reasons.values(), key=lambda each: -each.count)
        ]

    def refuse_if_bad(self, max_bad_rows_percent: float) -> None:
        """Refuse a file of which too much is damaged.

        Raises:
            TaskFailed: ``vector.bad_rows``, with the first rows of each reason.
        """
        bad_rows.refuse_if_bad(self.dropped(), self.read, max_bad_rows_percent)

    def close(self) -> None:
        """Check that the books balance.

        Raises:
            AssertionError: They do not, which is a bug.
        """
        dropped = sum(reason.count for reason in self._reasons.values())
        if self.read != self.prepared + dropped:
            raise AssertionError(f"{self.read} rows read, {self.prepared} prepared, {dropped} dropped")
