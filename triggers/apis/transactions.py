"""Collections and items through the STAC API, by the same writer as those of jobs."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import attr
from fastapi import HTTPException
from stac_fastapi.extensions.transaction import AsyncBaseTransactionsClient
from stac_fastapi.types.errors import ConflictError, NotFoundError
from stac_pydantic import Collection, Item, ItemCollection

from core import codes
from core.errors import NotFound, TaskFailed
from core.json import JsonObject
from core.ports.catalogue import UNKNOWN_EXTENT, CatalogueWriter

T = TypeVar("T")

# What jobs say of their items; nobody else may.
_JOB = "app:job_id"


@attr.s(auto_attribs=True)
class CatalogueTransactions(AsyncBaseTransactionsClient):
    """The transaction extension's client.

    An item that a job published belongs to that job: it is changed by publishing again, and taken
    away by unpublishing, which sees to its blobs and tables too.

    Args:
        begin: Begins a transaction of the catalogue.
    """

    begin: Callable[[], AbstractContextManager[CatalogueWriter]]

    async def create_item(self, collection_id: str, item: Item | ItemCollection, **_options: Any) -> Any:
        """Insert one item, or all of an item collection, or none of them."""
        document = item.model_dump(mode="json")
        is_batch = document["type"] == "FeatureCollection"
        items = [_checked(one, collection_id) for one in (document["features"] if is_batch else [document])]

        def insert(writer: CatalogueWriter) -> None:
            for one in items:
                if writer.get_item(collection_id, one["id"]) is not None:
                    raise ConflictError(f"Item {one['id']} in collection {collection_id} already exists.")
            writer.upsert_items(items)

        await self._write(insert)
        return None if is_batch else items[0]

    async def update_item(self, collection_id: str, item_id: str, item: Item, **_options: Any) -> Any:
        """Replace an item."""
        document = _checked(item.model_dump(mode="json"), collection_id, item_id)

        def replace(writer: CatalogueWriter) -> None:
            _own(writer.get_item(collection_id, item_id), collection_id, item_id)
            writer.upsert_items([document])

        await self._write(replace)
        return document

    async def delete_item(self, item_id: str, collection_id: str, **_options: Any) -> Any:
        """Delete an item."""

        def delete(writer: CatalogueWriter) -> None:
            _own(writer.get_item(collection_id, item_id), collection_id, item_id)
            writer.delete_items(collection_id, [item_id])

        await self._write(delete)
        return {"deleted item": item_id}

    async def create_collection(self, collection: Collection, **_options: Any) -> Any:
        """Create a collection; its extent grows with its items."""
        document = _checked_collection(collection.model_dump(mode="json"))

        def create(writer: CatalogueWriter) -> None:
            if not writer.ensure_collection(document):
                raise ConflictError(f"Collection {document['id']} already exists.")

        await self._write(create)
        return document

    async def update_collection(self, collection_id: str, collection: Collection, **_options: Any) -> Any:
        """Replace a collection's metadata; its extent goes on holding all its items."""
        document = _checked_collection(collection.model_dump(mode="json"), collection_id)

        def replace(writer: CatalogueWriter) -> None:
            if writer.ensure_collection(document):
                raise NotFoundError(f"Collection {collection_id} does not exist.")
            writer.upsert_collection(document)

        await self._write(replace)
        return document

    async def delete_collection(self, collection_id: str, **_options: Any) -> Any:
        """Delete an empty collection that is not the system's."""

        def delete(writer: CatalogueWriter) -> None:
            if not writer.delete_collection_if_empty(collection_id):
                raise ConflictError(
                    f"Collection {collection_id} is the system's, has items, or is not there."
                )

        await self._write(delete)
        return {"deleted collection": collection_id}

    async def patch_item(self, *_document: Any, **_options: Any) -> Any:
        """Refuse: whole items only."""
        raise HTTPException(501, "Send the whole item with PUT.")

    async def patch_collection(self, *_document: Any, **_options: Any) -> Any:
        """Refuse: whole collections only."""
        raise HTTPException(501, "Send the whole collection with PUT.")

    async def _write(self, change: Callable[[CatalogueWriter], T]) -> T:
        def write() -> T:
            with _translated(), self.begin() as writer:
                return change(writer)

        return await asyncio.to_thread(write)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise NotFoundError(error.message) from error
    except TaskFailed as error:
        status = 400 if error.code == codes.CATALOGUE_ITEM_INVALID else 500
        raise HTTPException(status, error.message) from error


def _checked(item: JsonObject, collection_id: str, item_id: str | None = None) -> JsonObject:
    if item.get("collection") not in {None, collection_id}:
        raise HTTPException(400, f"The item says that it is of collection {item['collection']}.")
    if item_id not in {None, item["id"]}:
        raise HTTPException(400, f"The item says that its id is {item['id']}.")
    if _JOB in item["properties"]:
        raise HTTPException(400, f"{_JOB} is said by jobs only.")
    return {**item, "collection": collection_id}


def _own(item: JsonObject | None, collection_id: str, item_id: str) -> None:
    if item is None:
        raise NotFoundError(f"Item {item_id} in collection {collection_id} does not exist.")
    job_id = item["properties"].get(_JOB)
    if job_id is not None:
        raise ConflictError(f"Job {job_id} published this item: publish it again, or unpublish it.")


def _checked_collection(collection: JsonObject, collection_id: str | None = None) -> JsonObject:
    if collection_id not in {None, collection["id"]}:
        raise HTTPException(400, f"The collection says that its id is {collection['id']}.")
    return {**collection, "extent": collection.get("extent") or UNKNOWN_EXTENT}
