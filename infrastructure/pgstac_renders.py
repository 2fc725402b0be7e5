"""How all items of a collection can be drawn, kept on the collection as they come and go."""

from collections.abc import Sequence
from typing import Final

from psycopg.types.json import Jsonb

from core.json import JsonObject
from core.stac_renders import common_renders, same_renders
from infrastructure.database import Connection
from infrastructure.sql import load

_QUERIES = load("catalogue_renders")
_PAGE: Final = 200
_EXTENSION: Final = "https://stac-extensions.github.io/render/v2.0.0/schema.json"


class CollectionRenders:
    """The renders of one collection, in a transaction that holds it; those that it brought itself stay.

    Args:
        connection: The transaction's.
        collection_id: The collection.
        before: Its ``renders`` and ``extensions``, whether it ``describes_assets`` and whether its
            ``renders_are_of_items``.
    """

    def __init__(self, connection: Connection, collection_id: str, before: JsonObject) -> None:
        self._connection = connection
        self._id = collection_id
        self._before = before

    def begin(self, items: Sequence[JsonObject]) -> None:
        """Take what the first items have in common.

        A collection that says nothing of assets may have no renders: the extension wants both.
        """
        is_free = not self._before["renders"] or self._before["renders_are_of_items"]
        if is_free and self._before["describes_assets"]:
            self._set(common_renders(map(_renders, items)))

    def keep(self, items: Sequence[JsonObject], gone: Sequence[JsonObject]) -> None:
        """Keep what all items have in common, after some were written and others have gone.

        Args:
            items: What was written.
            gone: Id and renders of what was deleted or replaced.
        """
        if not self._before["renders_are_of_items"]:
            return
        written = {item["id"]: _renders(item) for item in items}
        shared = common_renders([self._before["renders"], *written.values()])
        if any(not same_renders(row["renders"], written.get(row["id"])) for row in gone):
            shared = self._measure(shared)
        if shared != self._before["renders"]:
            self._set(shared)

    def _measure(self, least: JsonObject) -> JsonObject:
        """Return what all items have in common, looking no further than to see that it is the least."""
        shared: JsonObject | None = None
        after, more = "", True
        while more:
            parameters = {"collection_id": self._id, "after": after, "limit": _PAGE}
            page = self._connection.execute(_QUERIES["item_renders"], parameters).fetchall()
            for row in page:
                shared = common_renders([row["renders"]] if shared is None else [shared, row["renders"]])
                after = row["id"]
                if same_renders(shared, least):
                    return least
            more = len(page) == _PAGE
        return shared or {}

    def _set(self, renders: JsonObject) -> None:
        others = {uri for uri in self._before["extensions"] if uri != _EXTENSION}
        extensions = others | ({_EXTENSION} if renders else set())
        changes: JsonObject = {"renders": renders} if renders else {}
        if extensions != set(self._before["extensions"]):
            changes["stac_extensions"] = sorted(extensions)
        parameters = {"collection_id": self._id, "changes": Jsonb(changes)}
        self._connection.execute(_QUERIES["set_renders"], parameters)


def _renders(item: JsonObject) -> JsonObject:
    renders: JsonObject = item["properties"].get("renders") or {}
    return renders
