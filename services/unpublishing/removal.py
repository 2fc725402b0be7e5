"""The last transaction of an unpublishing run."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from core.handler import TaskContext
from core.json import JsonObject
from core.models.tables import TableName
from core.models.unpublished import Removal, RemovedBlob, RemovedTable, Withdrawal, audit_id
from core.ports.effects import EffectTransaction
from core.publishing import parse_location
from services.unpublishing.models import AuditEntry, Inventory, ItemEntry
from services.unpublishing.trash import blob_in_trash, table_in_trash


@dataclass(frozen=True)
class _Gone:
    """What went, by item."""

    items: Mapping[tuple[str, str], JsonObject | None]
    collections: Mapping[str, JsonObject | None]
    blobs: Mapping[str | None, Sequence[RemovedBlob]]
    tables: Mapping[str | None, Sequence[RemovedTable]]


@dataclass(frozen=True)
class Remover:
    """Removes what an inventory lists.

    Args:
        context: Of the last task.
        inventory: What goes.
        grace: How long it can be restored; None: it goes at once.
    """

    context: TaskContext
    inventory: Inventory
    grace: timedelta | None

    def remove(self, transaction: EffectTransaction) -> tuple[list[Withdrawal], list[str]]:
        """Remove everything; return the audit and the collections that went too.

        Raises:
            Conflict: A table cannot be moved or dropped any more.
        """
        catalogue = transaction.catalogue
        if self.inventory.collections:
            catalogue.exclude_creators()
        items = self._items()
        for collection_id in sorted({key[0] for key in items}):
            catalogue.delete_items(collection_id, [key[1] for key in items if key[0] == collection_id])
        collections = {
            name: self.context.catalogue.get_collection(name) for name in self.inventory.collections
        }
        gone = [name for name in collections if catalogue.delete_collection_if_empty(name)]
        went = _Gone(
            items, {name: collections[name] for name in gone}, self._blobs(), self._tables(transaction)
        )
        withdrawals = [self._withdrawal(entry, went) for entry in self.inventory.items]
        transaction.unpublishing.withdraw(withdrawals)
        transaction.publish()
        return withdrawals, sorted(gone)

    def audit(self, withdrawals: Sequence[Withdrawal]) -> list[AuditEntry]:
        """Return what the job tells of its audit records."""
        return [
            AuditEntry(
                id=one.audit_id,
                item=f"{one.collection_id}/{one.item_id}" if one.item_id else None,
                original_job_id=one.original_job_id,
            )
            for one in withdrawals
        ]

    def _items(self) -> dict[tuple[str, str], JsonObject | None]:
        return {
            (entry.collection_id, entry.item_id): self.context.catalogue.get_item(
                entry.collection_id, entry.item_id
            )
            for entry in self.inventory.items
            if entry.collection_id is not None and entry.item_id is not None
        }

    def _tables(self, transaction: EffectTransaction) -> dict[str | None, list[RemovedTable]]:
        """Move or drop the tables and their views; return them by the item that named them."""
        removed: dict[str | None, list[RemovedTable]] = defaultdict(list)
        for entry in self.inventory.tables:
            table = TableName.parse(entry.table)
            if self.grace is None:
                transaction.tables.drop(table, cascade=bool(entry.views))
                removed[entry.item] += [RemovedTable(name) for name in entry.views]
                removed[entry.item].append(RemovedTable(entry.table, entry.rows))
                continue
            for view in entry.views:
                removed[entry.item].append(self._move(transaction, TableName.parse(view), None))
            removed[entry.item].append(self._move(transaction, table, entry.rows))
        return removed

    def _move(self, transaction: EffectTransaction, table: TableName, rows: int | None) -> RemovedTable:
        aside = table_in_trash(self.context.task.job_id, self.context.task.revision, table)
        transaction.tables.move(table, aside)
        return RemovedTable(str(table), rows, str(aside))

    def _withdrawal(self, entry: ItemEntry, went: _Gone) -> Withdrawal:
        task = self.context.task
        tables = went.tables.get(entry.subject, [])
        subject = entry.subject or (tables[-1].table if tables else "nothing")
        kept = [kept.model_dump() for kept in self.inventory.kept if kept.item == entry.subject]
        return Withdrawal(
            audit_id=audit_id(task.job_id, task.revision, subject),
            collection_id=entry.collection_id,
            item_id=entry.item_id,
            original_job_id=entry.job_id,
            artifacts_deleted={
                "blobs": [asdict(blob) for blob in went.blobs.get(entry.subject, [])],
                "tables": [asdict(table) for table in tables],
                "kept": kept,
            },
            collection_deleted=entry.collection_id in went.collections,
            item=went.items.get((entry.collection_id or "", entry.item_id or "")),
            collection=went.collections.get(entry.collection_id or ""),
            grace=self.grace,
        )

    def _blobs(self) -> dict[str | None, list[RemovedBlob]]:
        """Return the blobs that were reserved, by the item that named them."""
        if not self.inventory.slices:
            return {}
        first, last = self.inventory.slices[0].first, self.inventory.slices[-1].last
        task = self.context.task
        items = {blob.location: blob.item for blob in self.inventory.blobs}
        found: dict[str | None, list[RemovedBlob]] = defaultdict(list)
        for removal in self.context.unpublishing.removals(task.job_id, task.revision, first, last):
            if removal.kind == "blob":
                found[items[removal.location]].append(self._removed(removal))
        return found

    def _removed(self, removal: Removal) -> RemovedBlob:
        ref = parse_location(removal.location)
        aside = blob_in_trash(self.context.task.job_id, self.context.task.revision, ref)
        return RemovedBlob(
            removal.location,
            removal.nbytes or 0,
            removal.etag or "",
            removal.checksum,
            str(aside) if self.grace is not None else None,
        )
