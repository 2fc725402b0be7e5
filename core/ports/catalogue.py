"""The port to the STAC catalogue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.json import JsonObject

#: The extent of a collection that nobody knows anything of yet: the world, at any time. The first
#: item replaces it, for an extent that says nothing could only ever stay so.
UNKNOWN_EXTENT: JsonObject = {
    "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
    "temporal": {"interval": [[None, None]]},
}


@dataclass(frozen=True, order=True)
class Reference:
    """An item that names an address."""

    href: str
    collection_id: str
    item_id: str


class CatalogueReader(Protocol):
    """What can be asked of the catalogue.

    Raises `core.errors.TransientError` (``database.unavailable``) when it does not answer.
    """

    def get_collection(self, collection_id: str) -> JsonObject | None:
        """Return a collection as the API serves it, or None."""
        ...

    def get_item(self, collection_id: str, item_id: str) -> JsonObject | None:
        """Return an item as the API serves it, or None."""
        ...

    def collections(self) -> Sequence[JsonObject]:
        """Return every collection, by id."""
        ...

    def items(self, collection_id: str) -> Iterator[JsonObject]:
        """Yield the items of a collection in pages, by id."""
        ...

    def search(self, query: JsonObject, limit: int) -> Sequence[JsonObject]:
        """Return at most `limit` items that a STAC search finds, in the catalogue's order.

        Args:
            query: Of ``collections``, ``ids``, ``bbox``, ``datetime`` and ``filter`` (CQL2 JSON).
            limit: Most items.

        Raises:
            InvalidInput: The search cannot be carried out (``catalogue.search_invalid``).
        """
        ...

    def referring(self, hrefs: Sequence[str]) -> Sequence[Reference]:
        """Return every item with an asset at one of these addresses."""
        ...

    def count_items(self, collection_id: str) -> int:
        """Return how many items a collection has."""
        ...

    def version(self) -> str:
        """Return the catalogue's name and version."""
        ...


class CatalogueWriter(Protocol):
    """Changes to the catalogue, made in one transaction with the engine's own rows."""

    def ensure_collection(self, collection: JsonObject) -> bool:
        """Create the collection unless it exists; return whether this call created it.

        Any number of concurrent callers succeed; an existing collection is left as it is, and
        is not locked against the other writers of items for longer than the call needs.
        """
        ...

    def upsert_collection(self, collection: JsonObject) -> None:
        """Create the collection or replace its metadata."""
        ...

    def upsert_items(self, items: Sequence[JsonObject]) -> None:
        """Insert items, each replacing one of its id in its collection.

        The collection's spatial and temporal extent grows to hold them.

        Raises:
            NotFound: A collection does not exist (``catalogue.collection_missing``).
            TaskFailed: pgSTAC refuses an item (``catalogue.item_invalid``).
        """
        ...

    def get_item(self, collection_id: str, item_id: str) -> JsonObject | None:
        """Return an item as this transaction would leave it, or None."""
        ...

    def delete_items(self, collection_id: str, item_ids: Sequence[str]) -> Sequence[str]:
        """Delete items; return the ids of those that there were."""
        ...

    def exclude_creators(self) -> None:
        """Let nobody else make or delete a collection before the commit.

        Call it first in a transaction that deletes items and may then delete their collection.
        """
        ...

    def delete_collection_if_empty(self, collection_id: str) -> bool:
        """Delete a collection that has no item and is no system one; return whether it went."""
        ...
