"""Where what was taken back waits for a restoration."""

import hashlib

from core.models.tables import TableName
from core.ports.blobs import BlobRef

#: Below it in each silver container lies what was taken back; the catalogue never names it.
PREFIX = "trash"
SCHEMA = "vector_trash"

_LONGEST_NAME = 63


def blob_in_trash(job_id: str, revision: int, ref: BlobRef) -> BlobRef:
    """Return where a run of a job sets a blob aside."""
    return BlobRef(ref.container, f"{PREFIX}/{job_id}/{revision}/{ref.name}")


def table_in_trash(job_id: str, revision: int, table: TableName) -> TableName:
    """Return where a run of a job sets a table or a view aside: tables of all schemas share one."""
    digest = hashlib.sha256(f"{job_id}|{revision}|{table}".encode()).hexdigest()[:16]
    return TableName(SCHEMA, f"{digest}_{table.name}"[:_LONGEST_NAME])


def is_trash(ref: BlobRef) -> bool:
    """Return whether a blob waits for a restoration or its end."""
    return ref.name.startswith(f"{PREFIX}/")
