"""The handlers of `unpublish_raster` and `unpublish_vector`.

Nothing is removed before the last transaction: until then copies are made and places kept. It
takes the items out, moves the tables, makes the copies the job's own and writes the audit, all at
once; the clean-up after the job then deletes the blobs that nothing names any longer.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from core import codes
from core.errors import Conflict, NotFound, TaskFailed
from core.handler import TaskContext, task_handler
from core.json import JsonObject, dumps, rfc3339
from core.models.tables import TableName
from core.models.unpublished import Claimed, Removal
from core.ports.blobs import BlobRef, WriteOptions
from core.publishing import parse_location
from services.unpublishing.assets import NamedTable
from services.unpublishing.inventory import Findings, describe_table, inspect_items, inspect_tables
from services.unpublishing.models import (
    BlobsSetAside,
    CheckTables,
    Finish,
    Inventory,
    ItemEntry,
    Selection,
    SetAside,
    Slice,
    TableEntry,
    TablesChecked,
    TakeInventory,
    Unpublished,
)
from services.unpublishing.removal import Remover
from services.unpublishing.trash import blob_in_trash

_SLICE = 50
# Below the engine's limit on results, with room for what the last stage adds.
_MOST_BYTES = 200 * 1024


@task_handler("inventory_raster_item")
def inventory_raster_item(p: TakeInventory, context: TaskContext) -> Inventory:
    """List what goes with raster items, and keep everybody else from writing it.

    Raises:
        Conflict: Another job writes one of these places now (``artifact.owned``).
        TaskFailed: It is too much for one job.
    """
    return _inventory(p, context)


@task_handler("inventory_vector_item")
def inventory_vector_item(p: TakeInventory, context: TaskContext) -> Inventory:
    """List what goes with vector items, or with a table.

    Raises:
        Conflict: Another job writes one of these places now (``artifact.owned``), or views read a
            table and ``cascade`` is false (``table.dependents``).
        TaskFailed: It is too much for one job.
    """
    return _inventory(p, context)


@task_handler("delete_blob")
def delete_blob(p: SetAside, context: TaskContext) -> BlobsSetAside:
    """Copy blobs to the trash, from where they can be put back; with no grace look at them only.

    The originals stay until the items are gone.
    """
    return _set_aside(p.part, p.grace_days, context)


@task_handler("drop_postgis_table")
def drop_postgis_table(p: CheckTables, context: TaskContext) -> TablesChecked:
    """Look once more at the tables that go, and set their items' blobs aside.

    The tables go with the items, in the last transaction.

    Raises:
        Conflict: Views read a table by now and ``cascade`` is false (``table.dependents``).
    """
    inventory = _result_of_inventory(context)
    tables = []
    for entry in inventory.tables:
        try:
            tables.append(describe_table(NamedTable(TableName.parse(entry.table), entry.item, None), context))
        except NotFound:
            continue
    if not p.dry_run and not p.cascade:
        _refuse_views(tables)
    for part in inventory.slices:
        _set_aside(part, p.grace_days, context)
    return TablesChecked(tables=tables)


@task_handler("delete_stac_and_audit")
def delete_stac_and_audit(p: Finish, context: TaskContext) -> Unpublished:
    """Take the items out, move the tables, give the blobs up and write the audit, in one transaction."""
    inventory = _result_of_inventory(context)
    if p.dry_run:
        return _told(inventory, p, context)
    remover = Remover(context, inventory, timedelta(days=p.grace_days) if p.grace_days else None)
    with context.transaction() as transaction:
        withdrawals, collections = remover.remove(transaction)
        result = _told(inventory, p, context).model_copy(
            update={"collections": collections, "audit": remover.audit(withdrawals)}
        )
        transaction.complete(result.model_dump(mode="json"))
    return result


def _inventory(p: TakeInventory, context: TaskContext) -> Inventory:
    if p.selection.table is not None:
        findings, remaining = _table_alone(p, context), 0
    else:
        items, remaining = _selected(p.selection, context)
        findings = inspect_items(items, context, drop_table=p.drop_table)
    if not p.dry_run and not p.cascade:
        _refuse_views(findings.tables)
    inventory = Inventory(
        items=findings.items,
        blobs=findings.blobs,
        tables=findings.tables,
        kept=findings.kept,
        collections=_emptied(findings.items, context),
        remaining=remaining,
    )
    _check_size(inventory)
    if p.dry_run:
        return inventory
    return inventory.model_copy(update={"slices": _reserve(findings, context)})


def _selected(selection: Selection, context: TaskContext) -> tuple[list[JsonObject], int]:
    """Return the items that are to go and how many of the selection are left for another job."""
    collection = selection.collection_id or ""
    if selection.item_ids is not None:
        found = [context.catalogue.get_item(collection, name) for name in dict.fromkeys(selection.item_ids)]
        return [item for item in found if item is not None], 0
    if selection.search is not None:
        query = selection.search | {"collections": [collection]}
        items = list(context.catalogue.search(query, selection.limit + 1))
        return items[: selection.limit], max(0, len(items) - selection.limit)
    items = list(islice(context.catalogue.items(collection), selection.limit))
    return items, context.catalogue.count_items(collection) - len(items)


def _table_alone(p: TakeInventory, context: TaskContext) -> Findings:
    """Return what goes with a table: the item of the job that made it, or the table alone."""
    table = TableName.parse(p.selection.table or "")
    owner = context.unpublishing.owners("table", [str(table)]).get(str(table))
    items = list(_items_of(owner.job_id, context)) if owner else []
    if items:
        return inspect_items(items, context, drop_table=p.drop_table)
    findings = Findings(
        items=[ItemEntry(collection_id=None, item_id=None, job_id=owner.job_id if owner else None)]
    )
    named = NamedTable(table, None, owner.job_id if owner else None)
    inspect_tables([named], findings, context, drop=p.drop_table)
    return findings


def _items_of(job_id: str, context: TaskContext) -> Iterator[JsonObject]:
    for location in context.unpublishing.published_by(job_id, "item"):
        collection_id, _, item_id = location.partition("/")
        item = context.catalogue.get_item(collection_id, item_id)
        if item is not None:
            yield item


def _emptied(items: Sequence[ItemEntry], context: TaskContext) -> list[str]:
    going: dict[str, int] = {}
    for entry in items:
        if entry.collection_id is not None:
            going[entry.collection_id] = going.get(entry.collection_id, 0) + 1
    return sorted(
        collection_id
        for collection_id, number in going.items()
        if collection_id not in context.zones.system_collections
        and context.catalogue.count_items(collection_id) == number
    )


def _check_size(inventory: Inventory) -> None:
    nbytes = len(dumps(inventory.model_dump(mode="json")).encode())
    if nbytes > _MOST_BYTES:
        raise TaskFailed(
            codes.UNPUBLISH_TOO_MUCH,
            f"{len(inventory.items)} items name {len(inventory.blobs)} blobs; "
            f"their list takes {nbytes:,} bytes, and {_MOST_BYTES:,} fit a job.",
        )


def _refuse_views(tables: Sequence[TableEntry]) -> None:
    for entry in tables:
        if entry.views:
            raise Conflict(
                codes.TABLE_DEPENDENTS,
                f"{entry.table} is read by {', '.join(entry.views)}: set cascade to true to remove them too.",
            )


def _reserve(findings: Findings, context: TaskContext) -> list[Slice]:
    items = [Removal(0, "item", entry.subject) for entry in findings.items if entry.subject]
    with context.transaction() as transaction:
        reserved = transaction.unpublishing.reserve([*items, *findings.removals])
        if isinstance(reserved, Claimed):
            raise Conflict(
                codes.ARTIFACT_OWNED,
                f"{reserved.location} is being written by job {reserved.job_id}.",
                job_id=reserved.job_id,
            )
    numbers = sorted(removal.number for removal in reserved if removal.kind == "blob")
    parts = [numbers[start : start + _SLICE] for start in range(0, len(numbers), _SLICE)]
    return [Slice(first=part[0], last=part[-1]) for part in parts]


def _set_aside(part: Slice, grace_days: int, context: TaskContext) -> BlobsSetAside:
    task = context.task
    removals = context.unpublishing.removals(task.job_id, task.revision, part.first, part.last)
    blobs = [removal for removal in removals if removal.kind == "blob"]
    for number, removal in enumerate(blobs):
        if grace_days:
            _copy_to_trash(removal, context)
        context.progress((number + 1) / len(blobs), f"{number + 1} of {len(blobs)} blobs set aside")
    nbytes = sum(removal.nbytes or 0 for removal in blobs)
    return BlobsSetAside(blobs=len(blobs), nbytes=nbytes, moved=bool(grace_days))


def _copy_to_trash(removal: Removal, context: TaskContext) -> None:
    source = parse_location(removal.location)
    properties = context.blobs.properties(source)
    if properties.etag != removal.etag:
        raise Conflict(
            codes.ARTIFACT_CONFLICT, f"{removal.location} was written by something else meanwhile."
        )
    options = WriteOptions.like(properties)
    context.copy_blob(properties, _trash_of(source, context), options, checksum=removal.checksum)


def _trash_of(ref: BlobRef, context: TaskContext) -> BlobRef:
    return blob_in_trash(context.task.job_id, context.task.revision, ref)


def _result_of_inventory(context: TaskContext) -> Inventory:
    return Inventory.model_validate(next(context.results(stage=1)).result)


def _told(inventory: Inventory, p: Finish, context: TaskContext) -> Unpublished:
    number = len(inventory.items)
    what = f"{number} item{'s' if number != 1 else ''}, {len(inventory.blobs)} blobs"
    what += f", {len(inventory.tables)} tables"
    kept = p.grace_days and not p.dry_run
    message = (
        f"Nothing was removed. Submit with dry_run false to remove {what}."
        if p.dry_run
        else f"Removed {what}." + (f" It can be restored for {p.grace_days} days." if kept else "")
    )
    moved = {str(_trash_of(parse_location(blob.location), context)) for blob in inventory.blobs}
    return Unpublished(
        items=inventory.items,
        blobs=inventory.blobs,
        tables=inventory.tables,
        collections=inventory.collections,
        kept=inventory.kept,
        nbytes=inventory.nbytes,
        remaining=inventory.remaining,
        dry_run=p.dry_run,
        message=message,
        moved_to=sorted({name.partition("/trash/")[0] + "/trash" for name in moved}) if kept else [],
        purge_after=rfc3339(datetime.now(UTC) + timedelta(days=p.grace_days)) if kept else None,
    )
