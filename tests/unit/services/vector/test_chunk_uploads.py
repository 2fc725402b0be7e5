"""Chunks reach the store while others are still being prepared, and leave it after the job."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel

from core.declaration import PreviousResults, Stage, TaskPlan
from core.handler import TaskContext, task_handler
from core.ports.blobs import BlobRef
from core.submission import SubmitRequest
from jobs.mixins import JobBaseMixin, JobParameters
from services.vector.chunk_uploads import ChunkUploads
from tests.factories.memory_app import MemoryApp, memory_app
from tests.fixtures.processes import wait_until

TEMP = "rmhazuregeotemp"


class Nothing(BaseModel):
    """No parameters, no result."""


class Acts:
    """What the handler does while uploads go on, and what it saw."""

    act: ClassVar[Callable[[TaskContext, ChunkUploads], None]]
    uploaded: ClassVar[list[str]]


@task_handler("prepare_for_test")
def prepare(p: Nothing, context: TaskContext) -> Nothing:
    uploads = ChunkUploads(context, "temp/test/")
    try:
        with uploads:
            Acts.act(context, uploads)
    finally:
        Acts.uploaded = list(uploads.uploaded)
    return Nothing()


class PrepareJob(JobBaseMixin):
    """Runs the handler once."""

    job_type = "prepare_for_test"
    description = "Prepare chunks."
    parameters_schema = JobParameters
    stages = (Stage("prepare", task_type="prepare_for_test"),)

    @staticmethod
    def plan_prepare(p: JobParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        yield TaskPlan("one")


@pytest.fixture
def app() -> MemoryApp:
    app = memory_app([PrepareJob], [prepare])
    app.blobs.ensure_container(TEMP)
    return app


def run(app: MemoryApp, act: Callable[[TaskContext, ChunkUploads], None]) -> str:
    """Let the handler do something; return how its job ended."""
    Acts.act = act
    receipt = app.app.submission.submit(SubmitRequest("prepare_for_test", {}))
    app.work()
    job = app.app.jobs.get(receipt.job_id)
    assert job is not None
    return job.status


def put(context: TaskContext, number: int, content: bytes = b"rows") -> Path:
    """Write a chunk as the child does: under another name first."""
    path = context.workspace / f"chunk_{number:05d}.parquet"
    part = path.with_suffix(".part")
    part.write_bytes(content)
    return part.rename(path)


def test_a_chunk_is_uploaded_while_the_next_is_prepared(app: MemoryApp) -> None:
    def act(context: TaskContext, uploads: ChunkUploads) -> None:
        first = put(context, 0, b"first")
        wait_until(lambda: not first.exists(), 10)
        there = context.download(BlobRef(TEMP, "temp/test/chunk_00000.parquet"), "read_back")
        assert there.read_bytes() == b"first"
        put(context, 1)

    status = run(app, act)

    assert (status, Acts.uploaded) == ("completed", ["chunk_00000.parquet", "chunk_00001.parquet"])
    assert list(app.blobs.list_blobs(TEMP, "temp/test/")) == []


def test_only_chunks_are_taken(app: MemoryApp) -> None:
    def act(context: TaskContext, uploads: ChunkUploads) -> None:
        for name in ("source.gpkg", "chunk_00000.part", "source_chunk_00000.parquet", "chunk_1.parquet"):
            (context.workspace / name).write_bytes(b"x")
        put(context, 0)

    assert (run(app, act), Acts.uploaded) == ("completed", ["chunk_00000.parquet"])


def test_a_preparation_that_fails_uploads_no_more(app: MemoryApp) -> None:
    def act(context: TaskContext, uploads: ChunkUploads) -> None:
        first = put(context, 0)
        wait_until(lambda: not first.exists(), 10)
        raise ZeroDivisionError

    assert (run(app, act), Acts.uploaded) == ("failed", ["chunk_00000.parquet"])
    assert list(app.blobs.list_blobs(TEMP, "temp/test/")) == []


def test_an_upload_that_fails_fails_the_task(app: MemoryApp) -> None:
    def act(context: TaskContext, uploads: ChunkUploads) -> None:
        # No file: it can be seen, and not be read.
        (context.workspace / "chunk_00000.parquet").mkdir()

    assert run(app, act) == "failed"
