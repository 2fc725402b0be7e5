"""What a collection says of all of its items, kept true as they come and go."""

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from core.json import JsonObject
from core.ports.catalogue import UNKNOWN_EXTENT
from core.stac_extents import bounds_extent, grow_extent, reaches_edge, replace_extent
from infrastructure.countries import COUNTRIES
from infrastructure.database import Connection
from infrastructure.sql import load

_QUERIES = load("catalogue")


class CollectionSummary:
    """The extent and the countries of one collection.

    Args:
        connection: In a transaction that holds the collection's lock.
        collection_id: The collection.
        before: Its ``extent`` and ``countries`` before the change.
    """

    def __init__(self, connection: Connection, collection_id: str, before: JsonObject) -> None:
        self._connection = connection
        self._collection_id = collection_id
        self._extent: JsonObject = before["extent"]
        self._countries = set[str](before["countries"])

    def came(self, items: Sequence[JsonObject], extent: JsonObject, replaced: Sequence[JsonObject]) -> None:
        """Follow items that were written.

        Args:
            items: The items.
            extent: Of all of them.
            replaced: Bounds, times and countries of those in whose place they came.
        """
        grown = grow_extent(self._extent, extent)
        if grown != self._extent:
            self._set_extent(grown)
        beyond = [one for one in map(bounds_extent, replaced) if grow_extent(extent, one) != extent]
        self._shrink(beyond)
        written = set[str]().union(*(item["properties"].get(COUNTRIES, ()) for item in items))
        self._follow_countries(written, replaced)

    def went(self, gone: Sequence[JsonObject]) -> None:
        """Follow items that were deleted, by their bounds, times and countries."""
        self._shrink([bounds_extent(row) for row in gone])
        self._follow_countries(set(), gone)

    def _shrink(self, gone: Sequence[JsonObject]) -> None:
        """Measure a collection anew if what has gone from it reached to its edge."""
        if not any(reaches_edge(one, self._extent) for one in gone):
            return
        row = self._connection.execute(
            _QUERIES["measure_extent"], {"collection_id": self._collection_id}
        ).fetchone()
        # A circle has no edge at which to begin to measure: across the antimeridian it only grows.
        if row is None or row["crosses"]:
            return
        measured = bounds_extent(row) if row["items"] else UNKNOWN_EXTENT
        true = replace_extent(self._extent, measured)
        if true != self._extent:
            self._set_extent(true)

    def _set_extent(self, extent: JsonObject) -> None:
        parameters = {"collection_id": self._collection_id, "extent": Jsonb(extent)}
        self._connection.execute(_QUERIES["set_extent"], parameters)

    def _follow_countries(self, written: set[str], gone: Sequence[JsonObject]) -> None:
        """Add the countries of what was written, and take out those that only what has gone lay in."""
        doubtful = (set[str]().union(*(row["countries"] for row in gone)) & self._countries) - written
        lost = doubtful - self._still_lie_in(doubtful)
        countries = self._countries.union(written) - lost
        if countries != self._countries:
            parameters = {"collection_id": self._collection_id, "countries": Jsonb(sorted(countries))}
            self._connection.execute(_QUERIES["set_countries"], parameters)

    def _still_lie_in(self, countries: set[str]) -> set[str]:
        if not countries:
            return set()
        parameters = {"collection_id": self._collection_id, "countries": sorted(countries)}
        return {row["iso3"] for row in self._connection.execute(_QUERIES["countries_left"], parameters)}
