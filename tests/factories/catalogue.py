"""The catalogue's adapters in one shape, so that one suite runs against each."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from core.ports.catalogue import CatalogueReader, CatalogueWriter
from infrastructure.database import Database
from infrastructure.memory.catalogue import InMemoryCatalogue
from infrastructure.pgstac_repository import PgStacRepository

SYSTEM = "system-rasters"


@dataclass
class Catalogue:
    """An adapter: its reader, and its writer in a transaction that ends with the block."""

    reader: CatalogueReader
    transaction: Callable[[], AbstractContextManager[CatalogueWriter]]

    def write(self, change: Callable[[CatalogueWriter], Any]) -> Any:
        with self.transaction() as writer:
            return change(writer)


def memory_catalogue() -> Catalogue:
    adapter = InMemoryCatalogue((SYSTEM,))

    @contextmanager
    def transaction() -> Iterator[CatalogueWriter]:
        writer = adapter.writer()
        yield writer
        writer.commit()

    return Catalogue(adapter, transaction)


def pgstac_catalogue(database: Database) -> Catalogue:
    adapter = PgStacRepository(database, (SYSTEM,))

    @contextmanager
    def transaction() -> Iterator[CatalogueWriter]:
        with database.transaction() as connection:
            yield adapter.within(connection)

    return Catalogue(adapter, transaction)
