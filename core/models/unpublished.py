"""What was taken back: the audit of unpublished items, and what a job has set its hand on."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.json import JsonObject

# Any fixed namespace does: the ids must only be the same for the same removal.
_NAMESPACE = uuid.UUID("6f1f5d5c-2f0b-5c64-9a55-5d0c1f6f9a10")


@dataclass(frozen=True)
class RemovedBlob:
    """A blob that went with an item.

    Args:
        location: Container and name.
        etag: Of what was removed.
        moved_to: Where its copy waits for a restoration; None if there is none.
    """

    location: str
    nbytes: int
    etag: str
    checksum: str | None = None
    moved_to: str | None = None


@dataclass(frozen=True)
class RemovedTable:
    """A table or a view that went with an item.

    Args:
        table: Schema and name.
        rows: How many it had; None of a view.
        moved_to: Where it waits for a restoration; None if it was dropped.
    """

    table: str
    rows: int | None = None
    moved_to: str | None = None


@dataclass(frozen=True)
class UnpublishedJob:
    """One item, or one table without an item, that was taken out of publication.

    Args:
        id: UUID, made of the unpublishing run and the item.
        original_job_id: The job that had published it; None if it was catalogued by other means.
        original_parameters: That job's.
        unpublish_job_id: The job that removed it.
        artifacts_deleted: ``{"blobs": [...], "tables": [...], "kept": [...]}``.
        collection_deleted: Whether its collection was empty then, and went too.
        item: The item as it was served.
        collection: Its collection as it was served, if that was deleted.
        purge_after: When what was moved aside is deleted for good; None if nothing was.
        restored_at: When it was put back.
        purged_at: When what was moved aside was deleted.
    """

    id: str
    original_job_id: str | None
    original_job_type: str | None
    original_parameters: JsonObject | None
    original_revision: int | None
    unpublish_job_id: str
    unpublish_revision: int
    stac_item_id: str | None
    collection_id: str | None
    artifacts_deleted: JsonObject
    collection_deleted: bool
    item: JsonObject | None = None
    collection: JsonObject | None = None
    unpublished_at: datetime | None = None
    purge_after: datetime | None = None
    restored_at: datetime | None = None
    restored_by: str | None = None
    purged_at: datetime | None = None

    @property
    def blobs(self) -> list[RemovedBlob]:
        """Return the blobs that went."""
        return [RemovedBlob(**blob) for blob in self.artifacts_deleted.get("blobs", ())]

    @property
    def tables(self) -> list[RemovedTable]:
        """Return the tables and views that went, in the order in which they went."""
        return [RemovedTable(**table) for table in self.artifacts_deleted.get("tables", ())]


@dataclass(frozen=True)
class Removal:
    """Something that an unpublishing run has set its hand on, and nobody else may write meanwhile.

    Args:
        number: Orders the removals of a run.
        kind: ``blob``, ``table`` or ``item``.
        location: As artifacts have it.
        etag: Of a blob; what has another one later is left alone.
    """

    number: int
    kind: str
    location: str
    nbytes: int | None = None
    etag: str | None = None
    checksum: str | None = None


@dataclass(frozen=True)
class Owner:
    """The job that has something published in a place.

    Args:
        etag: Of a blob, as it was written.
    """

    job_id: str
    etag: str | None = None
    checksum: str | None = None


@dataclass(frozen=True)
class Claimed:
    """A location that another job writes."""

    location: str
    job_id: str


@dataclass(frozen=True)
class Withdrawal:
    """One item's removal, as the last transaction of a run records it.

    Args:
        audit_id: See `audit_id`.
        grace: How long what was moved aside is kept; None if nothing was.
    """

    audit_id: str
    collection_id: str | None
    item_id: str | None
    original_job_id: str | None
    artifacts_deleted: JsonObject
    collection_deleted: bool
    item: JsonObject | None
    collection: JsonObject | None
    grace: timedelta | None


def audit_id(job_id: str, revision: int, subject: str) -> str:
    """Return the id of an audit record, the same however often the run is repeated.

    Args:
        job_id: The unpublishing job.
        revision: Its run.
        subject: Collection and item, or the table.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{job_id}|{revision}|{subject}"))
