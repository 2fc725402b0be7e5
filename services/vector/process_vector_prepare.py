"""The handler of ``process_vector_prepare``: read a vector file in a child, and lay its chunks aside."""

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pydantic import BaseModel

from core import codes
from core.errors import TaskFailed, TransientError
from core.handler import TaskContext, task_handler
from core.models.tables import TableName
from core.ports.blobs import BlobRef, PreconditionFailed
from core.vector_options import ConverterOptions, FileExtension, GeometryOptions
from services.vector.chunk_outlet import CHUNK_PREFIX, ChunkOutlet
from services.vector.codes import CHUNKS_INCOMPLETE
from services.vector.handover import LoadedChunk, PreparedChunks, VectorSource, chunk_runs
from services.vector.index_columns import find_columns
from services.vector.ledger import loaded_together
from services.vector.models import ChunkFile, IndexColumns, PreparedVector, PrepareVector
from services.vector.staged_table import MixedTooLate, StagedTable

logger = logging.getLogger(__name__)

_PREPARED = "prepared.json"


class Reading(BaseModel):
    """How the file is to be read; see the job's parameters."""

    file_extension: FileExtension
    layer: str | None = None
    input_crs: str | None = None
    target_crs: str = "EPSG:4326"
    chunk_size: int | None = None
    dimensions: str = "keep"
    converter: ConverterOptions = ConverterOptions()
    geometry: GeometryOptions = GeometryOptions()
    indexes: IndexColumns = IndexColumns()

    def for_child(self, path: str, compression: str) -> PrepareVector:
        """Return the parameters of the child that reads the file `path` of the workspace."""
        given = {**self.model_dump(), "path": path, "compression": compression}
        return PrepareVector.model_validate(given)


class ProcessVectorPrepare(BaseModel):
    """Parameters.

    Args:
        table: Where the table is to be published.
        replace: Whether a table that stands there may be replaced.
    """

    source: VectorSource
    table: str
    replace: bool = False
    prepare: Reading


@task_handler("process_vector_prepare", lane="heavy")
def process_vector_prepare(p: ProcessVectorPrepare, context: TaskContext) -> PreparedChunks:
    """Cut a file into chunks of clean rows, and load them into a table aside while the child goes on.

    What cannot be loaded at once is left for tasks of the next stage. Running it twice writes the
    same rows under the same ids.

    Raises:
        TaskFailed: The file cannot be published; see the code.
        TransientError: It changed while it was fetched (``blob.changed``).
    """
    try:
        return _prepare(p, context, at_once=p.prepare.chunk_size is None)
    except MixedTooLate as error:
        logger.warning("the file is read again, and loaded by tasks", extra={"reason": str(error)})
        _clear(context.workspace)
        return _prepare(p, context, at_once=False)


def _prepare(p: ProcessVectorPrepare, context: TaskContext, *, at_once: bool) -> PreparedChunks:
    began = time.monotonic()
    source, path = _fetch(context, p.source)
    fetched = time.monotonic()
    prefix = f"temp/vector_etl/{context.task.job_id}/"
    table = StagedTable(context, TableName.parse(p.table), str(source.ref), replace=p.replace)
    context.progress(0.1, "reading the file")
    with ChunkOutlet(context, prefix, table if at_once else None) as outlet:
        prepared = context.isolated(
            "services.vector.native.preparation:prepare_vector",
            p.prepare.for_child(path, "none" if at_once else "zstd"),
            PreparedVector,
            kind="vector",
            watch=outlet.check,
        )
    seconds = {"fetch": round(fetched - began, 3), "prepare": round(time.monotonic() - fetched, 3)}
    _check_complete(prepared, outlet)
    indexes = find_columns(prepared.columns, p.prepare.indexes)
    described = _stage_description(context, prepared, prefix)
    result = PreparedChunks(
        source=source,
        staged=str(table.name),
        geometry_type=prepared.geometry_type,
        container=described.container,
        prefix=prefix,
        prepared=described.name,
        runs=chunk_runs(prepared, p.prepare.geometry, outlet.loaded),
        chunks=len(prepared.chunks),
        rows_read=prepared.rows_read,
        rows_prepared=prepared.rows_prepared,
        attributes=indexes.attributes,
        temporal=indexes.temporal,
        loaded=loaded_together(outlet.loaded.values()),
        seconds={**prepared.seconds, **seconds},
    )
    table.finish(prepared, result.model_dump(mode="json"))
    return result


def _clear(workspace: Path) -> None:
    """Remove everything: the child may have renamed the source, and left chunks."""
    for path in workspace.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _fetch(context: TaskContext, source: VectorSource) -> tuple[VectorSource, str]:
    properties = context.blobs.properties(source.ref)
    context.progress(0.01, f"fetching {source.ref}")
    name = PurePosixPath(source.name).name
    if name.startswith(CHUNK_PREFIX):
        # A chunk of another job may be a source; here it is none.
        name = f"source_{name}"
    try:
        context.download(source.ref, name, if_match=properties.etag)
    except PreconditionFailed as error:
        message = f"{source.ref} changed since the job looked at it."
        raise TransientError(codes.BLOB_CHANGED, message) from error
    seen = {
        "etag": properties.etag,
        "nbytes": properties.nbytes,
        "last_modified": properties.last_modified,
    }
    return source.model_copy(update=seen), name


def _check_complete(prepared: PreparedVector, outlet: ChunkOutlet) -> None:
    taken = {*outlet.staged, *outlet.loaded}
    differing = {chunk.name for chunk in prepared.chunks} ^ taken
    differing |= {chunk.name for chunk in prepared.chunks if not _is_whole(chunk, outlet.loaded)}
    rows = sum(chunk.rows for chunk in prepared.chunks)
    dropped = sum(one.count for one in prepared.dropped)
    if differing or rows != prepared.rows_prepared or rows + dropped != prepared.rows_read:
        raise TaskFailed(
            CHUNKS_INCOMPLETE,
            f"{prepared.rows_read} rows were read, {rows} are in chunks, {dropped} were dropped; "
            f"chunks that differ: {', '.join(sorted(differing)[:5]) or 'none'}.",
        )


def _is_whole(chunk: ChunkFile, loaded: Mapping[str, LoadedChunk]) -> bool:
    """Tell whether of a chunk as many rows were loaded or dropped as it was said to have."""
    found = loaded.get(chunk.name)
    return found is None or found.rows + sum(one.count for one in found.dropped) == chunk.rows


def _stage_description(context: TaskContext, prepared: PreparedVector, prefix: str) -> BlobRef:
    path = context.workspace / _PREPARED
    path.write_text(prepared.model_dump_json(), encoding="utf-8")
    return context.stage_blob(path, prefix + _PREPARED)
