"""The handlers of `restore_unpublished`: what was set aside goes back where it was."""

from core import codes
from core.errors import Conflict, NotFound
from core.handler import TaskContext, task_handler
from core.models.tables import TableName
from core.models.unpublished import RemovedBlob, UnpublishedJob
from core.ports.blobs import WriteOptions
from core.publishing import parse_location
from services.unpublishing.models import Model


class AuditRecord(Model):
    """Parameters: which record."""

    audit_id: str


class BlobPart(Model):
    """Parameters: some of a record's blobs, by their position."""

    audit_id: str
    first: int
    count: int


class Restorable(Model):
    """Result of the check."""

    blobs: int
    tables: int
    item: str | None


class BlobsRestored(Model):
    """Result of a part."""

    blobs: int
    nbytes: int


class Restored(Model):
    """Result: where everything is again."""

    item: str | None
    blobs: list[str]
    tables: list[str]
    collection_restored: bool
    original_job_id: str | None


@task_handler("check_restorable")
def check_restorable(p: AuditRecord, context: TaskContext) -> Restorable:
    """Find everything that is in the way before anything is written.

    Raises:
        Conflict: Something is (``unpublish.in_the_way``), all of it named.
    """
    record = _record(p.audit_id, context)
    obstacles = [*_occupied(record, context), *_lost(record, context)]
    if obstacles:
        raise Conflict(codes.UNPUBLISH_IN_THE_WAY, "; ".join(obstacles[:20]) + ".", obstacles=obstacles[:100])
    return Restorable(blobs=len(record.blobs), tables=len(record.tables), item=_subject(record))


@task_handler("restore_blobs")
def restore_blobs(p: BlobPart, context: TaskContext) -> BlobsRestored:
    """Copy blobs back to where they were; the copies aside stay until the item is back."""
    blobs = _record(p.audit_id, context).blobs[p.first : p.first + p.count]
    for number, blob in enumerate(blobs):
        _copy_back(blob, context)
        context.progress((number + 1) / len(blobs), f"{number + 1} of {len(blobs)} blobs restored")
    return BlobsRestored(blobs=len(blobs), nbytes=sum(blob.nbytes for blob in blobs))


@task_handler("restore_item")
def restore_item(p: AuditRecord, context: TaskContext) -> Restored:
    """Put collection, item and tables back and give everything to its former job, in one transaction."""
    record = _record(p.audit_id, context)
    result = Restored(
        item=_subject(record),
        blobs=[blob.location for blob in record.blobs],
        tables=[table.table for table in record.tables],
        collection_restored=False,
        original_job_id=record.original_job_id,
    )
    with context.transaction() as transaction:
        if record.item is not None:
            if record.collection is not None:
                created = transaction.catalogue.ensure_collection(record.collection)
                result = result.model_copy(update={"collection_restored": created})
            transaction.catalogue.upsert_items([record.item])
        # Views were moved before their table, so they come back after it.
        for table in reversed(record.tables):
            if table.moved_to is not None:
                transaction.tables.move(TableName.parse(table.moved_to), TableName.parse(table.table))
        transaction.publish()
        transaction.unpublishing.restore(record)
        transaction.complete(result.model_dump(mode="json"))
    return result


def _record(audit_id: str, context: TaskContext) -> UnpublishedJob:
    record = context.unpublishing.get(audit_id)
    if record is None:
        raise NotFound(codes.UNPUBLISH_UNKNOWN, f"There is no audit record {audit_id}.")
    if record.restored_at is not None or record.purged_at is not None or record.purge_after is None:
        raise Conflict(codes.UNPUBLISH_NOT_RESTORABLE, f"{audit_id}: nothing of it is kept any more.")
    return record


def _subject(record: UnpublishedJob) -> str | None:
    return f"{record.collection_id}/{record.stac_item_id}" if record.stac_item_id else None


def _occupied(record: UnpublishedJob, context: TaskContext) -> list[str]:
    """Return what stands where something is to go back."""
    found = []
    if record.stac_item_id and context.catalogue.get_item(record.collection_id or "", record.stac_item_id):
        found.append(f"item {_subject(record)} exists")
    found += [
        f"table {table.table} exists"
        for table in record.tables
        if context.tables.describe(TableName.parse(table.table)) is not None
    ]
    return found + [f"blob {blob.location} exists" for blob in record.blobs if _stands(blob, context)]


def _stands(blob: RemovedBlob, context: TaskContext) -> bool:
    try:
        found = context.blobs.properties(parse_location(blob.location))
    except NotFound:
        return False
    # A former attempt of this very job may have copied it back and not come to an end.
    return found.metadata.get("terrane_job") != context.task.job_id


def _lost(record: UnpublishedJob, context: TaskContext) -> list[str]:
    """Return what is no longer where it was set aside."""
    lost = []
    for blob in record.blobs:
        try:
            context.blobs.properties(parse_location(blob.moved_to or ""))
        except NotFound:
            lost.append(f"the copy of {blob.location} is gone")
    return lost + [
        f"the copy of {table.table} is gone"
        for table in record.tables
        if table.moved_to is None or context.tables.describe(TableName.parse(table.moved_to)) is None
    ]


def _copy_back(blob: RemovedBlob, context: TaskContext) -> None:
    source = context.blobs.properties(parse_location(blob.moved_to or ""))
    context.copy_blob(
        source, parse_location(blob.location), WriteOptions.like(source), checksum=blob.checksum
    )
