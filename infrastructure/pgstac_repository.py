"""The catalogue in pgSTAC."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from psycopg.types.json import Jsonb

from config.defaults import STACDefaults
from core import codes
from core.errors import InvalidInput, NotFound, TaskFailed
from core.json import JsonObject
from core.ports.catalogue import Reference
from core.stac_extents import grow_extent, items_extent
from infrastructure.countries import CountryFinder
from infrastructure.database import Connection, Database
from infrastructure.pgstac_bulk import FEWEST, upsert_in_bulk
from infrastructure.pgstac_renders import CollectionRenders
from infrastructure.pgstac_summaries import CollectionSummary
from infrastructure.sql import load

_QUERIES = load("catalogue")
_PAGE = 200
# What pgSTAC and PostGIS raise for a value that they cannot take.
_REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.RaiseException,
    psycopg.errors.InternalError_,
)


class PgStacRepository:
    """`core.ports.catalogue.CatalogueReader` on pgSTAC; `within` writes.

    pgSTAC's functions set their own search path, so none is needed on connections.

    Args:
        database: The app database.
        system_collections: Ids of the collections that are never deleted.
        countries: Adds the countries to items that are written; None adds none.
    """

    def __init__(
        self,
        database: Database,
        system_collections: Sequence[str] = STACDefaults.SYSTEM_COLLECTIONS,
        countries: CountryFinder | None = None,
    ) -> None:
        self._database = database
        self._system_collections = frozenset(system_collections)
        self._countries = countries

    def get_collection(self, collection_id: str) -> JsonObject | None:
        """Return a collection as it was written, its extent grown, or None."""
        row = self._database.fetch_one(_QUERIES["get_collection"], {"collection_id": collection_id})
        return row["content"] if row else None

    def get_item(self, collection_id: str, item_id: str) -> JsonObject | None:
        """Return an item, hydrated, or None."""
        parameters = {"collection_id": collection_id, "item_id": item_id}
        row = self._database.fetch_one(_QUERIES["get_item"], parameters)
        return row["content"] if row else None

    def collections(self) -> Sequence[JsonObject]:
        """Return every collection in the database's order of ids."""
        return [row["content"] for row in self._database.fetch_all(_QUERIES["list_collections"])]

    def items(self, collection_id: str) -> Iterator[JsonObject]:
        """Yield the items of a collection in the database's order of ids, a page a statement."""
        after = ""
        while True:
            page = self._database.fetch_all(
                _QUERIES["list_items"], {"collection_id": collection_id, "after": after, "limit": _PAGE}
            )
            for row in page:
                yield row["content"]
            if len(page) < _PAGE:
                return
            after = page[-1]["id"]

    def search(self, query: JsonObject, limit: int) -> Sequence[JsonObject]:
        """Return items that a search finds, hydrated."""
        search = query | {"limit": limit, "conf": {"nohydrate": False}}
        with self._database.transaction(read_only=False) as connection:
            try:
                found = connection.execute(_QUERIES["search"], {"search": Jsonb(search)}).fetchall()
            except (*_REFUSED, psycopg.errors.SyntaxErrorOrAccessRuleViolation) as error:
                reason = str(error).strip().splitlines()[0]
                raise InvalidInput(codes.CATALOGUE_SEARCH_INVALID, f"pgSTAC: {reason}") from error
        return [row["content"] for row in found]

    def referring(self, hrefs: Sequence[str]) -> Sequence[Reference]:
        """Return every item with an asset at one of these addresses."""
        found = self._database.fetch_all(_QUERIES["referring"], {"hrefs": list(hrefs)})
        return [Reference(**row) for row in found]

    def count_items(self, collection_id: str) -> int:
        """Return how many items a collection has, by counting them."""
        row = self._database.fetch_one(_QUERIES["count_items"], {"collection_id": collection_id})
        return row["items"] if row else 0

    def version(self) -> str:
        """Return the version of pgSTAC."""
        row = self._database.fetch_one(_QUERIES["version"])
        return f"pgSTAC {row['version']}" if row else "pgSTAC"

    def within(self, connection: Connection) -> "PgStacTransaction":
        """Return a writer whose changes come and go with the caller's open transaction."""
        return PgStacTransaction(connection, self._system_collections, self._countries)


class PgStacTransaction:
    """`core.ports.catalogue.CatalogueWriter` on a transaction that the caller ends.

    Locks are taken in this order, so that transactions of one call of each method never deadlock:
    `collections` against other creators (only to create or delete a collection), the row of each
    collection in `partition_stats` by id, the items, the row in `collections`. Writers of one
    collection therefore follow one another, from their first write to their commit: write late in
    the transaction, and create collections before writing items.

    Args:
        connection: A connection in an open transaction, READ COMMITTED.
        system_collections: Ids of the collections that are never deleted.
        countries: Adds the countries to items that are written; None adds none.
    """

    def __init__(
        self,
        connection: Connection,
        system_collections: frozenset[str],
        countries: CountryFinder | None = None,
    ) -> None:
        self._connection = connection
        self._system_collections = system_collections
        self._countries = countries

    def ensure_collection(self, collection: JsonObject) -> bool:
        """Create the collection and its partition unless they exist.

        Until the commit, other creators of collections wait, and those writers of items whose
        extents grow; readers never do.
        """
        with _refused(f"collection {collection.get('id')}"):
            row = self._connection.execute(
                _QUERIES["ensure_collection"], {"collection": Jsonb(collection)}
            ).fetchone()
        return bool(row and row["created"])

    def upsert_collection(self, collection: JsonObject) -> None:
        """Create the collection or replace its metadata; what its extent has grown to, it keeps."""
        if self.ensure_collection(collection):
            return
        parameters = {"collection_id": collection["id"]}
        self._lock([collection["id"]])
        row = self._connection.execute(_QUERIES["get_collection"], parameters).fetchone()
        if row is None:
            # Deleted between the two statements; nobody holds it now.
            self.ensure_collection(collection)
            return
        extent = grow_extent(row["content"]["extent"], collection["extent"])
        with _refused(f"collection {collection['id']}"):
            self._connection.execute(
                _QUERIES["update_collection"], {"collection": Jsonb(collection | {"extent": extent})}
            )

    def upsert_items(self, items: Sequence[JsonObject]) -> None:
        """Insert items, each replacing one of its id in its collection, and keep the extents true."""
        if not items:
            return
        written = self._countries.with_countries(self._connection, items) if self._countries else items
        by_collection: dict[str, list[JsonObject]] = {}
        for item in written:
            by_collection.setdefault(item["collection"], []).append(item)
        grown_by = {key: items_extent(group) for key, group in sorted(by_collection.items())}
        self._lock(sorted(by_collection))
        parameters = {"collection_ids": list(by_collection)}
        rows = self._connection.execute(_QUERIES["empty_collections"], parameters).fetchall()
        began_empty = {row["id"] for row in rows}
        replaced = self._bounds(by_collection)
        names = ", ".join(f"{item['collection']}/{item['id']}" for item in items[:3])
        with _refused(f"{len(items)} items ({names})"):
            if len(items) < FEWEST or not upsert_in_bulk(self._connection, written):
                self._connection.execute(_QUERIES["upsert_items"], {"items": Jsonb(list(written))})
        known = self._known(list(by_collection))
        for collection_id, extent in grown_by.items():
            before, came = known[collection_id], by_collection[collection_id]
            gone = replaced.get(collection_id, [])
            CollectionSummary(self._connection, collection_id, before).came(came, extent, gone)
            renders = CollectionRenders(self._connection, collection_id, before)
            if collection_id in began_empty:
                renders.begin(came)
            else:
                renders.keep(came, gone)

    def get_item(self, collection_id: str, item_id: str) -> JsonObject | None:
        """Return an item as this transaction would leave it, or None."""
        parameters = {"collection_id": collection_id, "item_id": item_id}
        row = self._connection.execute(_QUERIES["get_item"], parameters).fetchone()
        return row["content"] if row else None

    def delete_items(self, collection_id: str, item_ids: Sequence[str]) -> Sequence[str]:
        """Delete items in one statement, and keep the extent true."""
        self._connection.execute(_QUERIES["lock_partitions"], {"collection_ids": [collection_id]})
        parameters = {"collection_id": collection_id, "item_ids": list(item_ids)}
        rows = self._connection.execute(_QUERIES["delete_items"], parameters).fetchall()
        before = self._known([collection_id]).get(collection_id)
        if before is not None:
            CollectionSummary(self._connection, collection_id, before).went(rows)
            CollectionRenders(self._connection, collection_id, before).keep([], rows)
        return sorted(row["id"] for row in rows)

    def exclude_creators(self) -> None:
        """Take the lock that creators and deleters of collections take first."""
        self._connection.execute(_QUERIES["lock_collections"])

    def delete_collection_if_empty(self, collection_id: str) -> bool:
        """Delete a collection that has no item and is no system one.

        Readers and writers of every collection wait for the commit, as pgSTAC drops a partition.
        """
        parameters = {"collection_id": collection_id}
        if collection_id in self._system_collections:
            return False
        if self._connection.execute(_QUERIES["is_empty"], parameters).fetchone() is None:
            return False
        self._connection.execute(_QUERIES["lock_collections"])
        self._connection.execute(_QUERIES["lock_partitions"], {"collection_ids": [collection_id]})
        if self._connection.execute(_QUERIES["is_empty"], parameters).fetchone() is None:
            return False
        self._connection.execute(_QUERIES["delete_collection"], parameters)
        return True

    def _lock(self, collection_ids: list[str]) -> None:
        rows = self._connection.execute(_QUERIES["lock_partitions"], {"collection_ids": collection_ids})
        for collection_id in sorted(set(collection_ids) - {row["collection"] for row in rows}):
            row = self._connection.execute(
                _QUERIES["ensure_partition"], {"collection_id": collection_id}
            ).fetchone()
            if row is None or not row["found"]:
                raise NotFound(
                    codes.CATALOGUE_COLLECTION_MISSING, f"collection {collection_id} does not exist"
                )

    def _bounds(self, items: Mapping[str, Sequence[JsonObject]]) -> dict[str, list[JsonObject]]:
        """Return where the items lie that are about to be replaced, by collection."""
        found: dict[str, list[JsonObject]] = {}
        for collection_id, group in items.items():
            parameters = {"collection_id": collection_id, "item_ids": [item["id"] for item in group]}
            for row in self._connection.execute(_QUERIES["item_bounds"], parameters):
                found.setdefault(collection_id, []).append(row)
        return found

    def _known(self, collection_ids: list[str]) -> dict[str, JsonObject]:
        parameters = {"collection_ids": collection_ids}
        row = self._connection.execute(_QUERIES["known_of_collections"], parameters).fetchone()
        return (row["known"] or {}) if row else {}


@contextmanager
def _refused(what: str) -> Iterator[None]:
    try:
        yield
    except _REFUSED as error:
        reason = str(error).strip().splitlines()[0]
        raise TaskFailed(codes.CATALOGUE_ITEM_INVALID, f"pgSTAC refuses {what}: {reason}") from error
