"""From the catalogue's side: is what items and collections say still so?"""

from collections.abc import Iterator

from core.checksums import multihash
from core.errors import NotFound
from core.handler import TaskContext
from core.json import JsonObject
from core.models.tables import TableName
from core.ports.blobs import BlobProperties, BlobRef
from core.stac_extents import grow_extent, items_extent
from services.auditing.models import Finding

_TABLE = "postgis://"


def audit_collection(
    collection_id: str, context: TaskContext, *, checksums: bool
) -> Iterator[Finding | None]:
    """Yield what is wrong with a collection and its items, and None after each item.

    Args:
        collection_id: The collection.
        context: For blobs, tables and the catalogue.
        checksums: Read every blob whole and compare its SHA-256.
    """
    extent: JsonObject | None = None
    for item in context.catalogue.items(collection_id):
        context.check()
        yield from _audit_item(item, context, checksums=checksums)
        extent = items_extent([item]) if extent is None else grow_extent(extent, items_extent([item]))
        yield None
    collection = context.catalogue.get_collection(collection_id)
    if collection is not None and extent is not None:
        yield from _compare_extents(collection_id, collection["extent"], extent)


def _audit_item(item: JsonObject, context: TaskContext, *, checksums: bool) -> Iterator[Finding]:
    subject = f"{item['collection']}/{item['id']}"
    for asset in item.get("assets", {}).values():
        href = str(asset.get("href", ""))
        if href.startswith(_TABLE):
            yield from _audit_table(TableName.parse(href.removeprefix(_TABLE)), item, subject, context)
            continue
        ref = context.blobs.ref(href)
        if ref is not None:
            yield from _audit_blob(ref, asset, subject, context, checksums=checksums)


def _audit_blob(
    ref: BlobRef, asset: JsonObject, subject: str, context: TaskContext, *, checksums: bool
) -> Iterator[Finding]:
    try:
        there = context.blobs.properties(ref)
    except NotFound:
        yield Finding(code="asset_missing", subject=str(ref), named_by=subject)
        return
    size, checksum = asset.get("file:size"), asset.get("file:checksum")
    if size is not None and size != there.nbytes:
        yield Finding(
            code="asset_size_differs",
            subject=str(ref),
            named_by=subject,
            expected=str(size),
            found=str(there.nbytes),
        )
    owner = context.unpublishing.owners("blob", [str(ref)]).get(str(ref))
    if owner is not None and owner.etag not in (None, there.etag):
        yield Finding(
            code="asset_changed", subject=str(ref), named_by=subject, expected=owner.etag, found=there.etag
        )
    if checksums and checksum is not None:
        found = _checksum(there, context)
        if found != checksum:
            yield Finding(
                code="asset_checksum_differs",
                subject=str(ref),
                named_by=subject,
                expected=checksum,
                found=found,
            )


def _checksum(there: BlobProperties, context: TaskContext) -> str:
    path = context.download(there.ref, "asset", if_match=there.etag)
    try:
        return multihash(path)
    finally:
        path.unlink()


def _audit_table(table: TableName, item: JsonObject, subject: str, context: TaskContext) -> Iterator[Finding]:
    if context.tables.describe(table) is None:
        yield Finding(code="table_missing", subject=str(table), named_by=subject)
        return
    expected = item["properties"].get("table:row_count")
    if expected is None:
        return
    found = context.tables.count_rows(table)
    if found != expected:
        yield Finding(
            code="table_rows_differ",
            subject=str(table),
            named_by=subject,
            expected=str(expected),
            found=str(found),
        )


def _compare_extents(collection_id: str, told: JsonObject, true: JsonObject) -> Iterator[Finding]:
    """Yield what is wrong with an extent: too small hides items from searches, too large promises them."""
    grown = grow_extent(told, true)
    if grown != told:
        yield Finding(code="extent_too_small", subject=collection_id, expected=_text(true), found=_text(told))
    elif grow_extent(true, told) != true:
        yield Finding(code="extent_too_large", subject=collection_id, expected=_text(true), found=_text(told))


def _text(extent: JsonObject) -> str:
    return f"{extent['spatial']['bbox'][0]} {extent['temporal']['interval'][0]}"
