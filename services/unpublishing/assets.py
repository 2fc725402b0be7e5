"""What items name: blobs, those that a mosaic lists among them, and tables."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import TerraneError
from core.handler import TaskContext
from core.json import JsonObject
from core.models.tables import TableName
from core.ports.blobs import BlobRef
from services.unpublishing.models import KeptEntry

_TABLE = "postgis://"
#: How the names of MosaicJSON files end.
MOSAIC_ENDING = "mosaic.json"
_LARGEST_MOSAIC = 16 * 1024 * 1024


@dataclass(frozen=True)
class NamedBlob:
    """A blob that an item names.

    Args:
        item: Collection and item.
        job_id: The job that made the item, if it says so.
    """

    ref: BlobRef
    href: str
    item: str
    job_id: str | None


@dataclass(frozen=True)
class NamedTable:
    """A table that an item names."""

    table: TableName
    item: str | None
    job_id: str | None


def named_by(item: JsonObject, context: TaskContext) -> Iterator[NamedBlob | NamedTable | KeptEntry]:
    """Yield what the assets of an item name, and what of it nobody could find."""
    subject = f"{item['collection']}/{item['id']}"
    job_id = item["properties"].get("app:job_id")
    for asset in item.get("assets", {}).values():
        href = str(asset.get("href", ""))
        if href.startswith(_TABLE):
            yield NamedTable(TableName.parse(href.removeprefix(_TABLE)), subject, job_id)
            continue
        ref = context.blobs.ref(href)
        if ref is None:
            yield KeptEntry(href=href, item=subject, reason="elsewhere", detail="not of this account")
            continue
        yield NamedBlob(ref, href, subject, job_id)
        if ref.name.endswith(MOSAIC_ENDING):
            yield from _listed_by_mosaic(NamedBlob(ref, href, subject, job_id), context)


def _listed_by_mosaic(mosaic: NamedBlob, context: TaskContext) -> Iterator[NamedBlob | KeptEntry]:
    """Yield the blobs of a MosaicJSON, whose `tiles` map quadkeys to lists of addresses."""
    try:
        tiles = read_mosaic(mosaic.ref, context)
    except (TerraneError, ValueError) as error:
        yield KeptEntry(href=mosaic.href, item=mosaic.item, reason="unreadable", detail=str(error))
        return
    for href in tiles:
        ref = context.blobs.ref(href)
        if ref is None:
            yield KeptEntry(href=href, item=mosaic.item, reason="elsewhere", detail="not of this account")
        else:
            yield NamedBlob(ref, href, mosaic.item, mosaic.job_id)


def read_mosaic(ref: BlobRef, context: TaskContext) -> list[str]:
    """Return the addresses that a MosaicJSON lists.

    Raises:
        NotFound: It is gone.
        ValueError: It is too large, or no MosaicJSON.
    """
    if context.blobs.properties(ref).nbytes > _LARGEST_MOSAIC:
        raise ValueError(f"{ref} is larger than {_LARGEST_MOSAIC} bytes")
    with tempfile.TemporaryDirectory(dir=context.workspace) as folder:
        path = Path(folder) / "mosaic.json"
        context.blobs.download(ref, path)
        content = json.loads(path.read_text(encoding="utf-8"))
    try:
        return sorted({str(href) for hrefs in content["tiles"].values() for href in hrefs})
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{ref} is no MosaicJSON") from error
