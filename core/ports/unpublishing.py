"""The port to what takes published data back, and to the audit of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.models.unpublished import Claimed, Owner, Removal, UnpublishedJob, Withdrawal


@dataclass(frozen=True)
class UnpublishedFilter:
    """Which audit records a list has; None does not filter."""

    collection_id: str | None = None
    stac_item_id: str | None = None
    unpublish_job_id: str | None = None
    restorable: bool | None = None


class Unpublishing(Protocol):
    """What can be asked of the audit, and of a run's removals."""

    def get(self, audit_id: str) -> UnpublishedJob | None:
        """Return an audit record."""
        ...

    def list_unpublished(
        self, where: UnpublishedFilter, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[UnpublishedJob]:
        """Return audit records, newest first, behind `before` (unpublished_at, id)."""
        ...

    def owners(self, kind: str, locations: Sequence[str]) -> Mapping[str, Owner]:
        """Return who owns what is published in these places, by location."""
        ...

    def published_by(self, job_id: str, kind: str) -> Sequence[str]:
        """Return the places of one kind that a job's publications are live in."""
        ...

    def removals(self, job_id: str, revision: int, first: int, last: int) -> Sequence[Removal]:
        """Return a run's removals whose numbers lie between two, both included."""
        ...

    def overdue(self, limit: int) -> Sequence[UnpublishedJob]:
        """Return records whose grace is over and whose trash is still there, longest overdue first."""
        ...

    def purge(self, record: UnpublishedJob) -> None:
        """Drop the tables that a record moved aside, and record that nothing of it is kept."""
        ...


class UnpublishingTransaction(Protocol):
    """Changes of the audit, and of who owns what, in one transaction with everything else."""

    def reserve(self, removals: Sequence[Removal]) -> Sequence[Removal] | Claimed:
        """Keep everybody else from writing what is to go.

        Returns:
            The removals with their numbers, or the first that another job writes now; then the
            caller rolls back.
        """
        ...

    def withdraw(self, withdrawals: Sequence[Withdrawal]) -> None:
        """Record the removals: the audit, the marks on the original jobs, and the blobs' last owner.

        What this run reserved is nobody's any longer; the clean-up after the run deletes the
        blobs, each by the ETag that it was reserved with.
        """
        ...

    def restore(self, record: UnpublishedJob) -> None:
        """Give what a record removed back to its original job, and record that.

        Raises:
            Conflict: It was restored or purged meanwhile (``unpublish.not_restorable``).
        """
        ...
