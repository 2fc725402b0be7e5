"""The handler of ``process_vector_upload``: one chunk into the table that is being loaded."""

from functools import partial

from pydantic import BaseModel

from core.handler import TaskContext, task_handler
from core.models.tables import Chunk, GeometryRules, TableName
from core.ports.blobs import BlobRef
from services.vector.handover import LoadedChunk
from services.vector.staged_table import load_chunk
from services.vector.wkb import conform


class ProcessVectorUpload(BaseModel):
    """Parameters.

    Args:
        staged: Table that is being loaded.
        geometry_type: Modifier of its geometries.
        first_id: Id of the chunk's first row.
        rules: Set if PostGIS has to work on the geometries.
    """

    staged: str
    geometry_type: str
    container: str
    name: str
    first_id: int
    rows: int
    rules: GeometryRules | None = None


@task_handler("process_vector_upload", lane="heavy")
def process_vector_upload(p: ProcessVectorUpload, context: TaskContext) -> LoadedChunk:
    """Load a chunk and end the task in one transaction, so that no row is there twice.

    Raises:
        TaskFailed: The database refuses a row, or the chunk is not what was prepared.
    """
    path = context.download(BlobRef(p.container, p.name), "chunk.parquet")
    fit = None if p.rules else partial(conform, geometry_type=p.geometry_type)
    chunk = Chunk(path, p.first_id, p.rows, p.rules, fit)
    with context.transaction() as transaction:
        result = load_chunk(transaction, TableName.parse(p.staged), chunk)
        transaction.complete(result.model_dump(mode="json"))
    return result
