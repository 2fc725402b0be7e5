"""The handler of ``create_vector_stac``: check what was loaded, and publish table and item at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import BaseModel

from core import codes
from core.errors import TaskFailed
from core.handler import TaskContext, task_handler
from core.json import JsonObject
from core.models.tables import Indexes, TableName
from core.ports.blobs import BlobRef
from core.ports.effects import EffectTransaction
from services.findings import Finding
from services.stac.collections import vector_collection
from services.stac.vector_items import build_vector_item
from services.vector.codes import GEOMETRIES_MISSING
from services.vector.handover import LoadedChunk, PreparedChunks
from services.vector.ledger import Ledger
from services.vector.models import Bounds, ColumnDescription, Dropped, PreparedVector
from services.vector.published_item import Place, PublishedTable, describe_item, find_place
from services.vector.seconds import Seconds
from services.vector.thumbnail import draw_thumbnail, publish_thumbnail

# A result has to stay below the engine's limit; the item has every column.
_MOST_COLUMNS = 500


class CreateVectorStac(BaseModel):
    """Parameters.

    Args:
        replace: Whether a table that stands in the place may be replaced.
        max_bad_rows_percent: The share of the rows that may be damaged.
        parameters: What the job was asked for, for the item's history.
    """

    schema_name: str
    table_name: str
    replace: bool = False
    spatial_index: bool = True
    output_container: str
    thumbnail: str
    collection_id: str
    item_id: str
    max_bad_rows_percent: float
    parameters: JsonObject = {}

    @property
    def table(self) -> TableName:
        """Return the published place."""
        return TableName(self.schema_name, self.table_name)


class PublishedVector(BaseModel):
    """Result: where everything is, and what became of every row.

    Args:
        table: ``{schema}.{table}``.
        repaired: How many rows were changed, by what was done to them.
        dropped: What is not in the table and why, with the first ten features of each reason.
        columns: What each column of the file became; the first 500.
        nbytes: Size of source, chunks and table.
        seconds: Time by phase; that of the uploads is summed over workers.
        left_behind: Indexes and statistics of a replaced table that the new one has not.
    """

    collection_id: str
    item_id: str
    table: str
    geometry_type: str
    srid: int
    bbox: Bounds
    rows_read: int
    rows_loaded: int
    rows_dropped: int
    repaired: dict[str, int]
    dropped: list[Dropped]
    columns: list[ColumnDescription]
    column_count: int
    chunks: int
    nbytes: dict[str, int]
    seconds: dict[str, float]
    findings: list[Finding]
    assets: dict[str, str]
    features_path: str
    left_behind: list[str] = []


@task_handler("create_vector_stac", lane="heavy")
def create_vector_stac(p: CreateVectorStac, context: TaskContext) -> PublishedVector:
    """Index the loaded table, compare it with what was read, and show it with its item.

    The swap of the table, the item, the ownership and the end of the task are one transaction:
    before it nothing is visible, after it nothing can fail.

    Raises:
        TaskFailed: Too many rows are damaged (``vector.bad_rows``), rows are missing
            (``vector.rows_lost``), or pgSTAC refuses the item.
        Conflict: The place is taken by what may not be replaced.
    """
    chunks = PreparedChunks.model_validate(next(context.results(stage=1)).result)
    prepared = _prepared(context, chunks)
    ledger = Ledger(prepared)
    if chunks.loaded is not None:
        ledger.add(chunks.loaded)
    for chunk in context.results():
        ledger.add(LoadedChunk.model_validate(chunk.result))
    # Before anything is built of a table that nobody will see.
    ledger.refuse_if_bad(p.max_bad_rows_percent)
    place = _place(context, chunks, prepared)
    seconds = Seconds({**chunks.seconds, "upload": round(ledger.seconds, 3)})
    counted, picture = _finish(p, context, chunks, place, seconds)
    ledger.check(counted)
    published = _published(p, context, chunks, ledger, place, picture)
    item = build_vector_item(describe_item(published, p.collection_id, p.item_id, p.parameters, context))
    result = _result(p, published, ledger, item, seconds.by_phase)
    is_own = context.is_own(p.table.location)
    with context.publication() as transaction:
        left = transaction.tables.publish(
            TableName.parse(chunks.staged), p.table, replace=p.replace or is_own
        )
        _catalogue(transaction, p.collection_id, item)
        result = result.model_copy(update={"left_behind": list(left)})
        transaction.complete(result.model_dump(mode="json"))
    return result


def _prepared(context: TaskContext, chunks: PreparedChunks) -> PreparedVector:
    path = context.download(BlobRef(chunks.container, chunks.prepared), "prepared.json")
    return PreparedVector.model_validate_json(path.read_bytes())


def _place(context: TaskContext, chunks: PreparedChunks, prepared: PreparedVector) -> Place:
    place = find_place(context, TableName.parse(chunks.staged), prepared)
    if place is None:
        raise TaskFailed(GEOMETRIES_MISSING, f"No row of {chunks.source.ref} has a geometry with a point.")
    return place


def _finish(
    p: CreateVectorStac, context: TaskContext, chunks: PreparedChunks, place: Place, seconds: Seconds
) -> tuple[int, Path]:
    """Build the indexes while the rows are counted and drawn; return their number and the picture."""
    staged = TableName.parse(chunks.staged)
    context.progress(0.1, "building indexes")

    def count_and_draw() -> tuple[int, Path]:
        with seconds.of("count"):
            counted = context.tables.count_rows(staged)
        with seconds.of("draw"):
            return counted, draw_thumbnail(context, staged, place)

    with ThreadPoolExecutor(1) as beside:
        looking = beside.submit(count_and_draw)
        with seconds.of("index"), context.transaction() as transaction:
            indexes = Indexes(p.spatial_index, chunks.attributes, chunks.temporal)
            transaction.tables.index(staged, indexes)
        return looking.result()


def _published(
    p: CreateVectorStac,
    context: TaskContext,
    chunks: PreparedChunks,
    ledger: Ledger,
    place: Place,
    picture: Path,
) -> PublishedTable:
    staged = TableName.parse(chunks.staged)
    described = context.tables.describe(staged)
    if described is None:
        raise TaskFailed(codes.TABLE_MISSING, f"{staged} is gone.")
    return PublishedTable(
        table=p.table,
        described=described,
        chunks=chunks,
        prepared=ledger.prepared,
        place=place,
        rows=ledger.rows,
        thumbnail=publish_thumbnail(context, picture, BlobRef(p.output_container, p.thumbnail)),
    )


def _catalogue(transaction: EffectTransaction, collection_id: str, item: JsonObject) -> None:
    transaction.catalogue.ensure_collection(vector_collection(collection_id))
    transaction.catalogue.upsert_items([item])
    if transaction.catalogue.get_item(collection_id, item["id"]) is None:
        raise TaskFailed(codes.CATALOGUE_ITEM_INVALID, f"{collection_id}/{item['id']} does not read back.")


def _result(
    p: CreateVectorStac,
    published: PublishedTable,
    ledger: Ledger,
    item: JsonObject,
    seconds: dict[str, float],
) -> PublishedVector:
    prepared = published.prepared
    return PublishedVector(
        collection_id=p.collection_id,
        item_id=p.item_id,
        table=str(p.table),
        geometry_type=prepared.geometry_type,
        srid=prepared.target_srid,
        bbox=published.place.bbox,
        rows_read=prepared.rows_read,
        rows_loaded=ledger.rows,
        rows_dropped=ledger.rows_dropped,
        repaired=dict(ledger.repaired),
        dropped=list(ledger.dropped.values()),
        columns=prepared.columns[:_MOST_COLUMNS],
        column_count=len(prepared.columns),
        chunks=ledger.chunks,
        nbytes={
            "source": prepared.nbytes,
            "chunks": ledger.nbytes,
            "table": published.described.nbytes,
        },
        seconds=seconds,
        findings=prepared.findings,
        assets={key: asset["href"] for key, asset in item["assets"].items()},
        features_path=f"/api/features/collections/{p.table}",
    )
