"""Many items at once, as pypgstac's loader writes them: what they share is left out here.

pgSTAC's own function takes that out of every item in SQL, which is over ten times slower; the
loader has connections and transactions of its own, and an item has to come with the engine's rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from psycopg.rows import DictRow
from pypgstac.hydration import dehydrate

from core.json import JsonObject, dumps
from infrastructure.database import Connection
from infrastructure.sql import load

#: From how many items on this way is the faster one.
FEWEST: Final = 20

_QUERIES = load("catalogue_bulk")
_COLUMNS = ("id", "collection", "geometry", "type")


def upsert_in_bulk(connection: Connection, items: Sequence[JsonObject]) -> bool:
    """Write items, each replacing one of its id; the partitions are there and locked.

    Returns:
        Whether they were written; False if a collection is one that this way does not know.
    """
    collection_ids = sorted({item["collection"] for item in items})
    rows = connection.execute(_QUERIES["base_items"], {"collection_ids": collection_ids}).fetchall()
    bases = {row["id"]: row for row in rows}
    if len(bases) < len(collection_ids):
        return False
    # Of two items of one id the last one wins.
    last = {(item["collection"], item["id"]): item for item in items}
    connection.execute(_QUERIES["create_rows"])
    with connection.cursor() as cursor, cursor.copy(_QUERIES["copy_rows"]) as copy:
        for row in _rows(last.values(), bases):
            copy.write_row(row)
    for statement in ("delete_replaced", "insert_rows", "drop_rows"):
        connection.execute(_QUERIES[statement])
    return True


def _rows(items: Any, bases: Mapping[str, DictRow]) -> Iterator[tuple[str, ...]]:
    for item in items:
        # Most items have none, and to look for the word is far cheaper than to walk through them.
        full = _without_nulls(item) if "null" in dumps(item) else item
        base = bases[item["collection"]]
        content = dehydrate(base["base_item"], full)
        for column in (*_COLUMNS, "pgstac:base_item"):
            content.pop(column, None)
        if base["base_item_id"] is not None:
            content["pgstac:base_item"] = base["base_item_id"]
        starts, ends = _times(full["properties"])
        yield item["id"], item["collection"], starts, ends, dumps(item["geometry"]), dumps(content)


def _times(properties: JsonObject) -> tuple[str, str]:
    if {"start_datetime", "end_datetime"} <= properties.keys():
        return properties["start_datetime"], properties["end_datetime"]
    return properties["datetime"], properties["datetime"]


def _without_nulls(value: Any) -> Any:
    # As pgSTAC's own function does.
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
