"""The countries that items lie in, by a table of outlines."""

import json
import logging
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from core.json import JsonObject
from infrastructure.database import Connection
from infrastructure.sql import load

logger = logging.getLogger(__name__)

#: Natural Earth at 1:110 million; `scripts/make_countries.py` makes the file that it is filled from.
SHIPPED_TABLE: Final = "app.countries"

COUNTRIES: Final = "geo:iso3"
PRIMARY_COUNTRY: Final = "geo:primary_iso3"

_QUERIES = load("countries")

# The table's name is a setting. Areas are measured on the ellipsoid, for a degree is worth little
# near the poles; a point has neither area nor length, and the first of its countries wins.
_FIND = sql.SQL("""
WITH items AS (
    SELECT position, ST_MakeValid(ST_SetSRID(ST_GeomFromGeoJSON(outline), 4326)) AS geom
      FROM unnest(%(geometries)s::text[]) WITH ORDINALITY AS given (outline, position)
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
        geometries = [json.dumps(item["geometry"]) for item in items]
        try:
            with connection.transaction():
                query = _FIND.format(table=self._table)
                rows = connection.execute(query, {"geometries": geometries}).fetchall()
        except (psycopg.ProgrammingError, psycopg.DataError, psycopg.errors.InternalError_) as error:
            reason = str(error).strip().splitlines()[0]
            logger.warning("countries unknown", extra={"reason": reason})
            return list(items)
        found = {row["position"]: row for row in rows}
        return [
            _with_country(item, found[number]) if number in found else item
            for number, item in enumerate(items, start=1)
        ]


def _with_country(item: JsonObject, row: JsonObject) -> JsonObject:
    codes = {COUNTRIES: row["countries"], PRIMARY_COUNTRY: row["primary_country"]}
    return item | {"properties": item["properties"] | codes}
