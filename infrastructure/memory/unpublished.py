"""The audit of what was taken back, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from core import codes
from core.errors import Conflict
from core.models.claims import ClaimedTask
from core.models.unpublished import Claimed, Owner, Removal, UnpublishedJob, Withdrawal
from core.ports.unpublishing import UnpublishedFilter
from infrastructure.memory.rows import ArtifactRow
from infrastructure.memory.state import EngineState

_CLAIMANT = ("reserved", "writing")


class InMemoryUnpublishing:
    """`core.ports.unpublishing.Unpublishing` on an `EngineState`.

    Args:
        state: The tables.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def get(self, audit_id: str) -> UnpublishedJob | None:
        """Return an audit record."""
        return self._state.unpublished.get(audit_id)

    def list_unpublished(
        self, where: UnpublishedFilter, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[UnpublishedJob]:
        """Return audit records, newest first."""
        newest = sorted(self._state.unpublished.values(), key=_place, reverse=True)
        return [
            record
            for record in newest
            if _matches(record, where) and (before is None or _place(record) < before)
        ][:limit]

    def owners(self, kind: str, locations: Sequence[str]) -> Mapping[str, Owner]:
        """Return the owners of live artifacts, by location."""
        with self._state.locked():
            return {
                row.location: Owner(row.job_id, row.etag, row.checksum)
                for row in self._state.artifacts
                if row.state == "live" and row.kind == kind and row.location in locations
            }

    def published_by(self, job_id: str, kind: str) -> Sequence[str]:
        """Return the places of a job's live artifacts."""
        with self._state.locked():
            return sorted(
                row.location
                for row in self._state.artifacts
                if (row.job_id, row.kind, row.state, row.role) == (job_id, kind, "live", "published")
            )

    def removals(self, job_id: str, revision: int, first: int, last: int) -> Sequence[Removal]:
        """Return a run's removals by their numbers."""
        with self._state.locked():
            return [
                Removal(number, row.kind, row.location, row.nbytes, row.etag, row.checksum)
                for number, row in enumerate(self._state.artifacts)
                if first <= number <= last
                and (row.job_id, row.revision, row.state) == (job_id, revision, "reserved")
            ]

    def overdue(self, limit: int) -> Sequence[UnpublishedJob]:
        """Return records whose trash is to be emptied."""
        now = self._state.clock.now()
        found = [
            record
            for record in self._state.unpublished.values()
            if _is_restorable(record) and record.purge_after is not None and record.purge_after < now
        ]
        return sorted(found, key=lambda record: record.purge_after or now)[:limit]

    def purge(self, record: UnpublishedJob) -> None:
        """Record that a record's trash is gone; tables in memory go with the process."""
        with self._state.locked():
            if not _is_restorable(self._state.unpublished[record.id]):
                return
            self._state.unpublished[record.id] = replace(record, purged_at=self._state.clock.now())
            for row in _trash(self._state, record):
                row.state = "deleted"


class InMemoryUnpublishingTransaction:
    """`core.ports.unpublishing.UnpublishingTransaction`, applied when the effects commit.

    Args:
        state: The tables.
        task: The claim that it belongs to.
    """

    def __init__(self, state: EngineState, task: ClaimedTask) -> None:
        self._state = state
        self._task = task
        self._reserved: list[ArtifactRow] = []
        self._withdrawals: list[Withdrawal] | None = None
        self._restored: UnpublishedJob | None = None

    def reserve(self, removals: Sequence[Removal]) -> Sequence[Removal] | Claimed:
        """Keep everybody else from writing what is to go."""
        with self._state.locked():
            places = {(removal.kind, removal.location) for removal in removals}
            for row in self._state.artifacts:
                if (row.kind, row.location) in places and row.state in _CLAIMANT and not self._is_open(row):
                    return Claimed(row.location, row.job_id)
            return [self._reserve(removal) for removal in removals]

    def withdraw(self, withdrawals: Sequence[Withdrawal]) -> None:
        """Record the removals and let go of what was reserved."""
        self._withdrawals = list(withdrawals)

    def restore(self, record: UnpublishedJob) -> None:
        """Give what a record removed back."""
        if not _is_restorable(self._state.unpublished[record.id]):
            raise Conflict(
                codes.UNPUBLISH_NOT_RESTORABLE, f"{record.id} was restored or deleted for good meanwhile."
            )
        self._restored = record

    def rollback(self) -> None:
        """Let go of what this transaction reserved."""
        with self._state.locked():
            for row in self._reserved:
                row.state = "released"

    def commit(self) -> None:
        """Apply everything; called with the state locked, after what was published is live."""
        if self._withdrawals is not None:
            self._let_go()
            for withdrawal in self._withdrawals:
                self._record(withdrawal)
        if self._restored is not None:
            self._give_back(self._restored)

    def _reserve(self, removal: Removal) -> Removal:
        for number, row in enumerate(self._state.artifacts):
            if (row.kind, row.location) == (removal.kind, removal.location) and self._is_open(row):
                row.role = "intermediate"
                row.nbytes, row.etag, row.checksum = removal.nbytes, removal.etag, removal.checksum
                return replace(removal, number=number)
        task = self._task
        row = ArtifactRow(
            removal.kind, removal.location, task.job_id, task.revision, "intermediate", "reserved"
        )
        row.nbytes, row.etag, row.checksum = removal.nbytes, removal.etag, removal.checksum
        self._state.artifacts.append(row)
        self._reserved.append(row)
        return replace(removal, number=len(self._state.artifacts) - 1)

    def _let_go(self) -> None:
        mine = [row for row in self._state.artifacts if self._is_open(row)]
        places = {(row.kind, row.location) for row in mine}
        for row in self._state.artifacts:
            if row.state == "live" and (row.kind, row.location) in places:
                row.state = "deleted"
        for row in mine:
            row.state = "writing" if row.kind == "blob" else "released"

    def _record(self, withdrawal: Withdrawal) -> None:
        now = self._state.clock.now()
        original = self._state.jobs.get(withdrawal.original_job_id or "")
        if original is not None and original.completed_at is not None:
            original.unpublished_at = now
        self._state.unpublished[withdrawal.audit_id] = UnpublishedJob(
            id=withdrawal.audit_id,
            original_job_id=withdrawal.original_job_id,
            original_job_type=original.job_type if original else None,
            original_parameters=original.parameters if original else None,
            original_revision=original.revision if original else None,
            unpublish_job_id=self._task.job_id,
            unpublish_revision=self._task.revision,
            stac_item_id=withdrawal.item_id,
            collection_id=withdrawal.collection_id,
            artifacts_deleted=withdrawal.artifacts_deleted,
            collection_deleted=withdrawal.collection_deleted,
            item=withdrawal.item,
            collection=withdrawal.collection,
            unpublished_at=now,
            purge_after=now + withdrawal.grace if withdrawal.grace is not None else None,
        )

    def _give_back(self, record: UnpublishedJob) -> None:
        self._state.unpublished[record.id] = replace(
            record, restored_at=self._state.clock.now(), restored_by=self._task.job_id
        )
        owner = self._state.jobs.get(record.original_job_id or "")
        if owner is not None:
            if owner.revision == record.original_revision:
                owner.unpublished_at = None
            for row in self._state.artifacts:
                if self._is_own(row) and row.state == "live" and row.role == "published":
                    row.job_id, row.revision = owner.job_id, owner.revision
            for kind, location in _recorded_places(record):
                self._state.artifacts.append(
                    ArtifactRow(kind, location, owner.job_id, owner.revision, "published", "live")
                )
        for row in _trash(self._state, record):
            row.state, row.role = "writing", "intermediate"
            row.job_id, row.revision = self._task.job_id, self._task.revision

    def _is_open(self, row: ArtifactRow) -> bool:
        return self._is_own(row) and row.state == "reserved"

    def _is_own(self, row: ArtifactRow) -> bool:
        return (row.job_id, row.revision) == (self._task.job_id, self._task.revision)


def _trash(state: EngineState, record: UnpublishedJob) -> list[ArtifactRow]:
    places = {blob.moved_to for blob in record.blobs}
    return [
        row
        for row in state.artifacts
        if (row.state, row.kind, row.job_id) == ("live", "blob", record.unpublish_job_id)
        and row.location in places
    ]


def _recorded_places(record: UnpublishedJob) -> list[tuple[str, str]]:
    """Return the item and the tables, of which there is no more than a record of whose they are."""
    tables = [("table", table.table) for table in record.tables if table.rows is not None]
    item = ("item", f"{record.collection_id}/{record.stac_item_id}")
    return [item, *tables] if record.stac_item_id is not None else tables


def _place(record: UnpublishedJob) -> tuple[datetime, str]:
    if record.unpublished_at is None:
        raise ValueError(f"{record.id} was never recorded")
    return (record.unpublished_at, record.id)


def _is_restorable(record: UnpublishedJob) -> bool:
    return record.restored_at is None and record.purged_at is None


def _matches(record: UnpublishedJob, where: UnpublishedFilter) -> bool:
    names = ("collection_id", "stac_item_id", "unpublish_job_id")
    wanted = all(getattr(where, name) in (None, getattr(record, name)) for name in names)
    restorable = _is_restorable(record) and record.purge_after is not None
    return wanted and where.restorable in (None, restorable)
