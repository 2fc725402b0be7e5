"""A job type whose task leaves intermediate blobs behind, and then ends as it is told."""

from collections.abc import Iterable
from typing import ClassVar, Literal

from pydantic import BaseModel

from core import codes
from core.declaration import PrefixTemplate, PreviousResults, Stage, TaskPlan
from core.errors import TaskFailed
from core.handler import TaskContext, task_handler
from core.ports.blobs import BlobRef, WriteOptions
from jobs.mixins import JobBaseMixin, JobParameters

TEMP = "rmhazuregeotemp"
TILES = "silver-mosaicjson"


class LeavingParameters(JobParameters):
    """How the task ends."""

    ends: Literal["well", "failing"] = "well"


class Left(BaseModel):
    """How many blobs there are."""

    blobs: int


class LeavingJob(JobBaseMixin):
    """One task that writes chunks and tiles."""

    job_type = "leaving"
    description = "One task that writes chunks and tiles."
    parameters_schema = LeavingParameters
    stages: ClassVar = (Stage("only", task_type="leave"),)
    intermediate_blobs: ClassVar = (
        PrefixTemplate(TEMP, "temp/vector_etl/{job_id}/"),
        PrefixTemplate(TILES, "{job_id[:8]}/tiles/"),
    )

    @staticmethod
    def plan_only(p: LeavingParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Plan the task."""
        yield TaskPlan("only", p.model_dump())


@task_handler("leave")
def leave(parameters: LeavingParameters, context: TaskContext) -> Left:
    """Write two chunks and a tile, and end as told."""
    job_id = context.task.job_id
    file = context.workspace / "blob"
    file.write_bytes(b"12345")
    for container, name in (
        (TEMP, f"temp/vector_etl/{job_id}/chunk_1.parquet"),
        (TEMP, f"temp/vector_etl/{job_id}/chunk_2.parquet"),
        (TILES, f"{job_id[:8]}/tiles/1.tif"),
    ):
        context.blobs.ensure_container(container)
        context.blobs.upload(file, BlobRef(container, name), WriteOptions())
    if parameters.ends == "failing":
        raise TaskFailed(codes.BLOB_EMPTY, "bronze/a.tif has no bytes.")
    return Left(blobs=3)
