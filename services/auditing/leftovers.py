"""From the data's side: is there anything that no item names?"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, islice
from typing import TypeVar

from core.errors import TerraneError
from core.handler import TaskContext
from core.ports.blobs import BlobRef
from services.auditing.models import Finding
from services.unpublishing.assets import MOSAIC_ENDING, read_mosaic
from services.unpublishing.trash import is_trash

T = TypeVar("T")

# Each question reads the catalogue once, so a question is asked about many blobs.
_BATCH = 5_000


def audit_container(container: str, context: TaskContext) -> Iterator[Finding | None]:
    """Yield the blobs of a container that neither an item nor a mosaic names, and None after each blob.

    What nobody names is kept in a file of the workspace, not in memory.
    """
    with closing(sqlite3.connect(context.workspace / "unnamed.sqlite")) as unnamed:
        unnamed.execute("CREATE TABLE blobs (location TEXT PRIMARY KEY)")
        for batch in _batches(_published(container, context)):
            context.check()
            named = _named_by_items(batch, context)
            unnamed.executemany(
                "INSERT INTO blobs VALUES (?)", [(str(ref),) for ref in batch if str(ref) not in named]
            )
            yield from (None for _ in batch)
        for location in _named_by_mosaics(context):
            unnamed.execute("DELETE FROM blobs WHERE location = ?", (location,))
        for (location,) in unnamed.execute("SELECT location FROM blobs ORDER BY location"):
            yield Finding(code="blob_unnamed", subject=location)


def audit_schema(schema: str, context: TaskContext) -> Iterator[Finding | None]:
    """Yield the tables of a schema that no item names, and None after each table."""
    for batch in _batches(context.tables.list_tables(schema)):
        context.check()
        hrefs = {f"postgis://{table}": str(table) for table in batch}
        named = {hrefs[reference.href] for reference in context.catalogue.referring(list(hrefs))}
        for table in batch:
            if str(table) not in named:
                yield Finding(code="table_unnamed", subject=str(table))
            yield None


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(values)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _published(container: str, context: TaskContext) -> Iterator[BlobRef]:
    return (found.ref for found in context.blobs.list_blobs(container) if not is_trash(found.ref))


def _named_by_items(refs: Iterable[BlobRef], context: TaskContext) -> set[str]:
    forms = {
        href: str(ref) for ref in refs for href in (context.blobs.url(ref), f"/vsiaz/{ref}", f"az://{ref}")
    }
    return {forms[reference.href] for reference in context.catalogue.referring(list(forms))}


def _named_by_mosaics(context: TaskContext) -> Iterator[str]:
    """Yield the blobs that mosaics list which an item names."""
    silver = (context.blobs.list_blobs(container) for container in sorted(context.zones.silver))
    mosaics = (found.ref for found in chain.from_iterable(silver) if found.ref.name.endswith(MOSAIC_ENDING))
    for batch in _batches(mosaics):
        named = _named_by_items(batch, context)
        for ref in batch:
            if str(ref) in named:
                yield from _tiles(ref, context)


def _tiles(mosaic: BlobRef, context: TaskContext) -> Iterator[str]:
    try:
        hrefs = read_mosaic(mosaic, context)
    except (TerraneError, json.JSONDecodeError, ValueError):
        # What cannot be read names nothing; its tiles then show as unnamed.
        return
    refs = (context.blobs.ref(href) for href in hrefs)
    yield from (str(ref) for ref in refs if ref is not None)
