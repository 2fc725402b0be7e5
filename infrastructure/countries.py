"""The countries that items lie in, by a table of outlines."""

import json
import logging
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Final

import psycopg
import shapely
from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from core.json import JsonObject, dumps
from infrastructure.database import Connection
from infrastructure.sql import load

logger = logging.getLogger(__name__)

#: Natural Earth at 1:110 million; `scripts/make_countries.py` makes the file that it is filled from.
SHIPPED_TABLE: Final = "app.countries"

COUNTRIES: Final = "geo:iso3"
PRIMARY_COUNTRY: Final = "geo:primary_iso3"

_QUERIES = load("countries")

# Codes of all countries, and that of the one with the largest part.
Found = tuple[list[str], str]

# A table that is not there or cannot be read, or outlines that are none.
_UNKNOWN = (
    psycopg.ProgrammingError,
    psycopg.DataError,
    psycopg.errors.InternalError_,
    shapely.errors.ShapelyError,
)

# The table's name is a setting. Areas are measured on the ellipsoid, for a degree is worth little
# near the poles; a point has neither area nor length, and the first of its countries wins.
_FIND = sql.SQL("""
WITH items AS (
    SELECT position, ST_MakeValid(ST_SetSRID(ST_GeomFromGeoJSON(outline), 4326)) AS geom
      FROM unnest(%(positions)s::int[], %(outlines)s::text[]) AS given (position, outline)
), parts AS (
    SELECT items.position, country.iso3, ST_Intersection(country.geom, items.geom) AS shared
      FROM items
      JOIN {table} AS country ON ST_Intersects(country.geom, items.geom)
)
SELECT position,
       array_agg(DISTINCT iso3 ORDER BY iso3) AS countries,
       (array_agg(
          iso3 ORDER BY ST_Area(shared::geography) DESC, ST_Length(shared::geography) DESC, iso3
        ))[1] AS primary_country
  FROM parts
 GROUP BY position
""")
# Countries that may hold an item of a batch.
_NEAR = sql.SQL("""
SELECT iso3, ST_AsBinary(ST_CurveToLine(geom)) AS outline
  FROM {table}
 WHERE geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326)
""")

# From how many items on it pays to fetch the outlines of the countries.
_FEWEST: Final = 20


def install_countries(connection: Connection) -> None:
    """Fill the shipped table as the owner of the schemas; doing it again changes nothing."""
    text = (files("infrastructure") / "data" / "countries.json").read_text(encoding="utf-8")
    connection.execute(_QUERIES["install"], {"countries": Jsonb(json.loads(text))})


class CountryFinder:
    """Says in which countries items lie.

    Args:
        table: ``schema.table`` with columns `iso3` and `geom` in EPSG:4326.
    """

    def __init__(self, table: str = SHIPPED_TABLE) -> None:
        self._table = sql.Identifier(*table.split(".", 1))

    def with_countries(self, connection: Connection, items: Sequence[JsonObject]) -> list[JsonObject]:
        """Return the items with their countries, where they lie in any.

        The primary one has the largest part of the item. A table that is not there, or cannot be
        asked, is no reason to publish nothing: then the items stay as they are.
        """
        outlines = [dumps(item["geometry"]) for item in items]
        try:
            with connection.transaction():
                found = self._find(connection, outlines)
        except _UNKNOWN as error:
            reason = str(error).strip().splitlines()[0]
            logger.warning("countries unknown", extra={"reason": reason})
            return list(items)
        return [_with_country(item, *found[at]) if at in found else item for at, item in enumerate(items)]

    def _find(self, connection: Connection, outlines: Sequence[str]) -> dict[int, Found]:
        """Return the countries by position; only what lies in several of them is left to PostGIS.

        Most items of a batch lie in one country or in none, which is told here in a twentieth of
        the time; to measure the parts is PostGIS's, and so is whatever is not valid.
        """
        if len(outlines) < _FEWEST:
            return self._ask(connection, outlines, range(len(outlines)))
        geometries = shapely.from_geojson(outlines, on_invalid="ignore")
        rows = self._near(connection, shapely.total_bounds(geometries))
        tree = shapely.STRtree(shapely.from_wkb([row["outline"] for row in rows]))
        hits: dict[int, list[str]] = {}
        for at, country in zip(*tree.query(geometries, predicate="intersects").tolist(), strict=True):
            hits.setdefault(at, []).append(rows[country]["iso3"])
        unclear = {at for at, valid in enumerate(shapely.is_valid(geometries).tolist()) if not valid}
        unclear |= {at for at, several in hits.items() if len(several) > 1}
        clear = {at: (only, only[0]) for at, only in hits.items() if at not in unclear}
        return clear | self._ask(connection, outlines, sorted(unclear))

    def _near(self, connection: Connection, bounds: Iterable[float]) -> list[DictRow]:
        names = ("west", "south", "east", "north")
        parameters = dict(zip(names, map(float, bounds), strict=True))
        return connection.execute(_NEAR.format(table=self._table), parameters).fetchall()

    def _ask(
        self, connection: Connection, outlines: Sequence[str], positions: Sequence[int]
    ) -> dict[int, Found]:
        if not positions:
            return {}
        parameters = {"positions": list(positions), "outlines": [outlines[at] for at in positions]}
        rows = connection.execute(_FIND.format(table=self._table), parameters).fetchall()
        return {row["position"]: (row["countries"], row["primary_country"]) for row in rows}


def _with_country(item: JsonObject, countries: list[str], primary: str) -> JsonObject:
    codes = {COUNTRIES: countries, PRIMARY_COUNTRY: primary}
    return item | {"properties": item["properties"] | codes}
