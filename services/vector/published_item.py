"""What a job found out of a table, in the terms of the item's builder and of the job's result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import PurePosixPath

from core.handler import TaskContext
from core.json import JsonObject
from core.models.tables import TableDescription, TableName
from services.stac.models import (
    Acquisition,
    FileInfo,
    ProcessingStep,
    Provenance,
    SourceBlob,
    StepFile,
    TableColumn,
    VectorItem,
)
from services.vector.handover import PreparedChunks
from services.vector.models import Bounds, PreparedVector, TemporalExtent

_SOFTWARE = ("pyogrio", "shapely", "pyproj", "pyarrow")


@dataclass(frozen=True)
class Place:
    """Where the rows of a table lie.

    Args:
        bbox: In degrees; west > east across the antimeridian.
        footprint: GeoJSON in EPSG:4326.
        native_bbox: In the table's CRS; None where one pair of bounds cannot say it.
    """

    bbox: Bounds
    footprint: JsonObject
    native_bbox: Bounds | None


@dataclass(frozen=True)
class PublishedTable:
    """A table on its way to the catalogue.

    Args:
        table: Its published name.
        described: As it stands in the staging schema.
        chunks: The result of the first stage.
        prepared: What the child said.
    """

    table: TableName
    described: TableDescription
    chunks: PreparedChunks
    prepared: PreparedVector
    place: Place
    rows: int
    thumbnail: FileInfo


def find_place(context: TaskContext, staged: TableName, prepared: PreparedVector) -> Place | None:
    """Return where the rows lie: by the child, or by the database if that saw what the child could not."""
    by_child = prepared.target_srid == 4326 and not any(chunk.sql_path for chunk in prepared.chunks)
    if by_child and prepared.bbox is not None and prepared.footprint is not None:
        crosses = prepared.bbox[0] > prepared.bbox[2]
        return Place(prepared.bbox, prepared.footprint, None if crosses else prepared.bbox)
    found = context.tables.extent(staged)
    if found is None:
        return None
    return Place(found.bbox, dict(found.footprint), found.native_bbox)


def description_of(rows: int, source: str) -> str:
    """Return a sentence for the item."""
    features = "1 feature" if rows == 1 else f"{rows:,} features"
    return f"{features} from {PurePosixPath(source).name}."


def describe_item(
    published: PublishedTable, collection_id: str, item_id: str, parameters: JsonObject, context: TaskContext
) -> VectorItem:
    """Put what the job found out in the terms of the item's builder."""
    prepared, place = published.prepared, published.place
    return VectorItem(
        collection_id=collection_id,
        item_id=item_id,
        table=str(published.table),
        title=published.table.name,
        description=description_of(published.rows, published.chunks.source.name),
        geometry=place.footprint,
        bbox=place.bbox,
        proj_code=f"EPSG:{prepared.target_srid}",
        proj_bbox=place.native_bbox,
        columns=_columns(published),
        rows=published.rows,
        thumbnail=published.thumbnail,
        source=_source(published, context),
        acquired=acquisition(prepared.temporal),
        provenance=_provenance(published, parameters, context),
        properties={"app:geometry_type": prepared.geometry_type, "app:source_crs": prepared.source_crs},
    )


def acquisition(extents: Sequence[TemporalExtent]) -> Acquisition | None:
    """Return the range of the columns that were named as times; what names no zone is taken for UTC."""
    if not extents:
        return None
    start = min(_moment(extent.start) for extent in extents)
    end = max(_moment(extent.end) for extent in extents)
    columns = ", ".join(extent.column for extent in extents)
    return Acquisition(range=(start, end), source=f"columns: {columns}")


def _moment(text: str) -> datetime:
    if "T" not in text and " " not in text:
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _columns(published: PublishedTable) -> tuple[TableColumn, ...]:
    sources = {column.name: column.source_name for column in published.prepared.columns}
    return tuple(
        TableColumn(name=column.name, type=column.type, description=sources.get(column.name))
        for column in published.described.columns
    )


def _source(published: PublishedTable, context: TaskContext) -> SourceBlob:
    source = published.chunks.source
    return SourceBlob(
        href=context.blobs.url(source.ref),
        last_modified=source.last_modified or datetime.now(UTC),
        title=source.name,
        nbytes=source.nbytes,
        checksum=published.prepared.checksum,
    )


def _provenance(published: PublishedTable, parameters: JsonObject, context: TaskContext) -> Provenance:
    now = datetime.now(UTC)
    source = StepFile(
        href=context.blobs.url(published.chunks.source.ref), checksum=published.prepared.checksum
    )
    table = StepFile(href=f"postgis://{published.table}")
    task = context.task
    return Provenance(
        job_id=context.task.job_id,
        job_type=context.task.job_type,
        software={name: version(name) for name in _SOFTWARE},
        processed_at=now,
        lineage="Read, repaired, reprojected, loaded into PostGIS and catalogued.",
        history=(
            ProcessingStep(
                name="process_vector_prepare",
                job_id=task.job_id,
                inputs=(source,),
                outputs=(table,),
                parameters=parameters,
            ),
            ProcessingStep(
                name="create_vector_stac",
                job_id=task.job_id,
                task_id=task.task_id,
                inputs=(table,),
                completed_at=now,
            ),
        ),
    )
