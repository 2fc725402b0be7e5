"""The catalogue in memory."""

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.defaults import STACDefaults
from core import codes
from core.errors import InvalidInput, NotFound, TaskFailed
from core.json import JsonObject, to_jsonable
from core.ports.catalogue import UNKNOWN_EXTENT, Reference
from core.stac_extents import grow_extent, items_extent, reaches_edge, replace_extent


@dataclass
class _State:
    collections: dict[str, JsonObject] = field(default_factory=dict)
    items: dict[tuple[str, str], JsonObject] = field(default_factory=dict)


class InMemoryCatalogue:
    """`core.ports.catalogue.CatalogueReader` on dictionaries; `writer` changes them.

    Args:
        system_collections: Ids of the collections that are never deleted.
    """

    def __init__(self, system_collections: Sequence[str] = STACDefaults.SYSTEM_COLLECTIONS) -> None:
        self.system_collections = frozenset(system_collections)
        self._state = _State()
        self._lock = threading.Lock()

    def get_collection(self, collection_id: str) -> JsonObject | None:
        """Return a copy of a collection, or None."""
        return copy.deepcopy(self._state.collections.get(collection_id))

    def get_item(self, collection_id: str, item_id: str) -> JsonObject | None:
        """Return a copy of an item, or None."""
        return copy.deepcopy(self._state.items.get((collection_id, item_id)))

    def collections(self) -> Sequence[JsonObject]:
        """Return every collection by id."""
        return [copy.deepcopy(value) for _, value in sorted(self._state.collections.items())]

    def items(self, collection_id: str) -> Iterator[JsonObject]:
        """Yield the items that the collection has now, by id."""
        for key in sorted(key for key in self._state.items if key[0] == collection_id):
            item = self.get_item(*key)
            if item is not None:
                yield item

    def search(self, query: JsonObject, limit: int) -> Sequence[JsonObject]:
        """Return items by ``collections`` and ``ids``; in memory there is no index for more."""
        unknown = query.keys() - {"collections", "ids"}
        if unknown:
            raise InvalidInput(
                codes.CATALOGUE_SEARCH_INVALID, f"not searched in memory: {', '.join(sorted(unknown))}"
            )
        collections, ids = query.get("collections"), query.get("ids")
        found = [
            copy.deepcopy(item)
            for (collection_id, item_id), item in sorted(self._state.items.items())
            if (collections is None or collection_id in collections) and (ids is None or item_id in ids)
        ]
        return found[:limit]

    def referring(self, hrefs: Sequence[str]) -> Sequence[Reference]:
        """Return every item with an asset at one of these addresses."""
        return [
            Reference(asset["href"], *key)
            for key, item in self._state.items.items()
            for asset in item.get("assets", {}).values()
            if asset.get("href") in hrefs
        ]

    def count_items(self, collection_id: str) -> int:
        """Return how many items a collection has."""
        return sum(1 for key in list(self._state.items) if key[0] == collection_id)

    def version(self) -> str:
        """Return that this is the catalogue in memory."""
        return "in memory"

    def writer(self) -> "InMemoryCatalogueTransaction":
        """Return a writer whose changes nobody else sees before its `commit`."""
        return InMemoryCatalogueTransaction(self)

    def snapshot(self) -> _State:
        """Return the present state; nothing in it is ever changed in place."""
        with self._lock:
            return _State(dict(self._state.collections), dict(self._state.items))

    def apply(self, changes: Sequence[Callable[[_State], object]]) -> None:
        """Make changes to the state, all of them or, if one raises, none."""
        with self._lock:
            state = _State(dict(self._state.collections), dict(self._state.items))
            for change in changes:
                change(state)
            self._state = state


class InMemoryCatalogueTransaction:
    """`core.ports.catalogue.CatalogueWriter` that keeps its changes until `commit`.

    It answers from what was there when it was made, and its own changes; the commit makes the
    changes to what is there then.
    """

    def __init__(self, catalogue: InMemoryCatalogue) -> None:
        self._catalogue = catalogue
        self._state = catalogue.snapshot()
        self._changes: list[Callable[[_State], object]] = []

    def commit(self) -> None:
        """Make the changes visible, all at once."""
        changes, self._changes = self._changes, []
        self._catalogue.apply(changes)

    def rollback(self) -> None:
        """Forget the changes."""
        self._changes = []
        self._state = self._catalogue.snapshot()

    def ensure_collection(self, collection: JsonObject) -> bool:
        """Create the collection unless it exists."""
        value = _plain(collection)
        return bool(self._do(lambda state: _ensure(state, value)))

    def upsert_collection(self, collection: JsonObject) -> None:
        """Create the collection or replace its metadata; what its extent has grown to, it keeps."""
        value = _plain(collection)
        self._do(lambda state: _replace(state, value))

    def upsert_items(self, items: Sequence[JsonObject]) -> None:
        """Insert items, each replacing one of its id in its collection, and grow the extents."""
        values = [_item(item) for item in items]
        self._do(lambda state: _upsert(state, values))

    def get_item(self, collection_id: str, item_id: str) -> JsonObject | None:
        """Return an item as this transaction would leave it, or None."""
        return copy.deepcopy(self._state.items.get((collection_id, item_id)))

    def delete_items(self, collection_id: str, item_ids: Sequence[str]) -> Sequence[str]:
        """Delete items, and keep the collection's extent true."""
        gone = [item_id for item_id in item_ids if self._do(_deletion(collection_id, item_id)) is not None]
        return sorted(gone)

    def exclude_creators(self) -> None:
        """Do nothing: the commit is one act."""

    def delete_collection_if_empty(self, collection_id: str) -> bool:
        """Delete a collection that has no item and is no system one."""
        if collection_id in self._catalogue.system_collections:
            return False
        return bool(self._do(lambda state: _delete_if_empty(state, collection_id)))

    def _do(self, change: Callable[[_State], object]) -> object:
        answer = change(self._state)
        self._changes.append(change)
        return answer


def _deletion(collection_id: str, item_id: str) -> Callable[[_State], object]:
    def delete(state: _State) -> object:
        gone = state.items.pop((collection_id, item_id), None)
        if gone is not None:
            _shrink(state, collection_id, gone)
        return gone

    return delete


def _shrink(state: _State, collection_id: str, gone: JsonObject) -> None:
    collection = state.collections.get(collection_id)
    if collection is None or not reaches_edge(items_extent([gone]), collection["extent"]):
        return
    left = [item for key, item in state.items.items() if key[0] == collection_id]
    if any(item["bbox"][0] > item["bbox"][len(item["bbox"]) // 2] for item in left):
        return
    extent = replace_extent(collection["extent"], items_extent(left) if left else UNKNOWN_EXTENT)
    state.collections[collection_id] = collection | {"extent": extent}


def _ensure(state: _State, collection: JsonObject) -> bool:
    created = collection["id"] not in state.collections
    state.collections.setdefault(collection["id"], collection)
    return created


def _replace(state: _State, collection: JsonObject) -> None:
    before = state.collections.get(collection["id"], collection)
    extent = grow_extent(before["extent"], collection["extent"])
    state.collections[collection["id"]] = collection | {"extent": extent}


def _upsert(state: _State, items: Sequence[JsonObject]) -> None:
    for item in items:
        collection = state.collections.get(item["collection"])
        if collection is None:
            raise NotFound(
                codes.CATALOGUE_COLLECTION_MISSING, f"collection {item['collection']} does not exist"
            )
        extent = grow_extent(collection["extent"], items_extent([item]))
        state.collections[collection["id"]] = collection | {"extent": extent}
        replaced = state.items.get((item["collection"], item["id"]))
        state.items[item["collection"], item["id"]] = item
        if replaced is not None:
            _shrink(state, collection["id"], replaced)


def _delete_if_empty(state: _State, collection_id: str) -> bool:
    if any(key[0] == collection_id for key in state.items):
        return False
    return state.collections.pop(collection_id, None) is not None


def _plain(value: JsonObject) -> JsonObject:
    plain: JsonObject = to_jsonable(value)
    return copy.deepcopy(plain)


def _item(item: JsonObject) -> JsonObject:
    plain = _plain(item)
    if not plain.get("geometry"):
        raise TaskFailed(codes.CATALOGUE_ITEM_INVALID, f"item {plain.get('id')} has no geometry")
    items_extent([plain])
    stored: JsonObject = _without_nulls(plain)
    if "start_datetime" in stored["properties"]:
        stored["properties"].setdefault("datetime", None)
    return stored


def _without_nulls(value: Any) -> Any:
    # As pgSTAC does, so that what works here works there.
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
