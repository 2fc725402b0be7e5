"""What passes between the stages of an unpublishing job, and what it tells in the end."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.json import JsonObject


class Model(BaseModel):
    """Frozen, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Selection(Model):
    """Which items are to go: by their ids, all of a collection, or what a search of it finds.

    Args:
        table: A vector table, in the place of items.
        limit: Most items that one job takes of a collection or a search.
    """

    collection_id: str | None = None
    item_ids: list[str] | None = None
    all_items: bool = False
    search: JsonObject | None = None
    table: str | None = None
    limit: int = 500


class TakeInventory(Model):
    """Parameters of the inventory."""

    selection: Selection
    dry_run: bool = True
    drop_table: bool = True
    cascade: bool = False


class ItemEntry(Model):
    """An item that is to go; without ids it stands for a table that no item describes."""

    collection_id: str | None
    item_id: str | None
    job_id: str | None = None

    @property
    def subject(self) -> str | None:
        """Return collection and item, as artifacts have them."""
        return f"{self.collection_id}/{self.item_id}" if self.item_id else None


class BlobEntry(Model):
    """A blob that goes with an item."""

    location: str
    nbytes: int
    item: str | None


class TableEntry(Model):
    """A table that goes with an item, and the views that would go with it."""

    table: str
    rows: int
    nbytes: int
    views: list[str]
    item: str | None


class KeptEntry(Model):
    """Something that an item names and that stays."""

    href: str
    item: str | None
    reason: Literal[
        "elsewhere", "protected", "shared", "owned", "changed", "missing", "asked", "foreign", "unreadable"
    ] = Field(description="Why: see the reference of job types.")
    detail: str = ""


class Slice(Model):
    """The numbers of some removals of a run, both included."""

    first: int
    last: int


class Inventory(Model):
    """Result of the inventory: exactly what goes.

    Args:
        collections: Those that are empty afterwards and no system ones.
        remaining: Items that the selection has beyond the job's limit.
        slices: The reserved blobs, in parts; none in a dry run.
    """

    items: list[ItemEntry]
    blobs: list[BlobEntry]
    tables: list[TableEntry]
    kept: list[KeptEntry]
    collections: list[str]
    remaining: int = 0
    slices: list[Slice] = []

    @property
    def nbytes(self) -> int:
        """Return the size of the blobs and tables together."""
        blobs, tables = (entry.nbytes for entry in self.blobs), (entry.nbytes for entry in self.tables)
        return sum(blobs) + sum(tables)


class SetAside(Model):
    """Parameters of a task that sets blobs aside."""

    part: Slice
    grace_days: int


class BlobsSetAside(Model):
    """Its result."""

    blobs: int
    nbytes: int
    moved: bool


class CheckTables(Model):
    """Parameters of the task that looks at tables once more before they go."""

    dry_run: bool
    cascade: bool
    grace_days: int


class TablesChecked(Model):
    """Its result: what the tables are."""

    tables: list[TableEntry]


class Finish(Model):
    """Parameters of the last task."""

    dry_run: bool
    grace_days: int


class AuditEntry(Model):
    """An audit record that the job wrote."""

    id: str
    item: str | None
    original_job_id: str | None


class Unpublished(Model):
    """Result of an unpublishing job; of a dry run the first five are what a real one removes.

    Args:
        moved_to: Where what was removed waits for a restoration.
        purge_after: Until when, RFC 3339.
        audit: One record an item.
        message: What happened, in a sentence.
    """

    items: list[ItemEntry]
    blobs: list[BlobEntry]
    tables: list[TableEntry]
    collections: list[str]
    kept: list[KeptEntry]
    nbytes: int
    remaining: int
    dry_run: bool
    message: str
    moved_to: list[str] = []
    purge_after: str | None = None
    audit: list[AuditEntry] = []
