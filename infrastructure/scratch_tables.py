"""Tables that loads fill aside, when their jobs have left them."""

from collections.abc import Sequence
from datetime import timedelta

from core.models.tables import TableName
from infrastructure.database import Database
from infrastructure.sql import load
from infrastructure.vector_store import PostgisVectorTransaction

_QUERIES = load("mending")


class PostgresScratchTables:
    """`core.ports.janitor.ScratchTables` on the staging schema.

    A load records its table as an artifact before it makes it, so a table that only closed
    artifacts name is nobody's. One that no artifact ever named was not made by a load and stays.

    Args:
        database: The app database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def drop_forsaken(self, age: timedelta, limit: int) -> Sequence[str]:
        """Drop such tables, each in a transaction of its own."""
        found = self._database.fetch_all(_QUERIES["scratch_tables"], {"age": age, "limit": limit})
        dropped: list[str] = []
        for row in found:
            table = TableName(row["schema"], row["name"])
            with self._database.transaction() as connection:
                if PostgisVectorTransaction(connection).drop(table):
                    dropped.append(str(table))
        return dropped
