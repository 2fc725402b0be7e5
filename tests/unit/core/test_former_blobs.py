"""A rerun that fails after it has written over what is live puts that back, wherever it dies."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from core import codes
from core.declaration import Location, PreviousResults, Stage, TaskPlan
from core.errors import TaskFailed
from core.handler import TaskContext, task_handler
from core.ports.blobs import BlobProperties, BlobRef, PreconditionFailed, WriteOptions
from core.submission import SubmitRequest
from infrastructure.memory.blob_store import InMemoryBlobStore
from jobs.mixins import JobBaseMixin, JobParameters
from tests.factories.clock import ManualClock
from tests.factories.crashes import Died, Fuse, Mortal
from tests.factories.memory_app import MemoryApp, memory_app

PLACE = BlobRef("silver-cogs", "a_cog.tif")
NEVER = 10_000

_WRITES = ("upload", "copy", "delete", "commit_empty")
_ARTIFACTS = ("begin_artifact", "record_artifact", "close_artifact", "correct_live")
_TASKS = ("claim", "end", "end_plan", "rescue")


class WritingParameters(JobParameters):
    """Nothing to say."""


class Written(BaseModel):
    """No result to speak of."""


class WritingJob(JobBaseMixin):
    """One task that publishes a blob with the number of its revision in it."""

    job_type = "writing"
    description = "One task that publishes a blob."
    parameters_schema = WritingParameters
    stages: ClassVar = (Stage("only", task_type="write_place"),)

    @classmethod
    def publishes(cls, p: WritingParameters) -> Sequence[Location]:
        """Return the one place."""
        return [Location("blob", str(PLACE))]

    @staticmethod
    def plan_only(p: WritingParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Plan the task."""
        yield TaskPlan("only", {})


def writing(*, last_fails: bool) -> MemoryApp:
    """Return an app whose job writes, and whose second revision may fail in its last transaction."""

    @task_handler("write_place")
    def write_place(parameters: WritingParameters, context: TaskContext) -> Written:
        """Publish; the fault is found when everything is in its place."""
        source = context.workspace / "content"
        source.write_text(f"revision {context.task.revision}")
        options = WriteOptions(content_type="image/tiff", metadata={"made": "here"}, access_tier="Cool")
        context.publish_blob(source, PLACE, options)
        with context.publication() as transaction:
            if last_fails and context.task.revision > 1:
                raise TaskFailed(codes.CATALOGUE_ITEM_INVALID, "pgSTAC refuses the item.")
            transaction.complete({})
        return Written()

    clock = ManualClock()
    terrane = memory_app([WritingJob], [write_place], clock)
    for container in (PLACE.container, "rmhazuregeotemp"):
        terrane.blobs.ensure_container(container)
    return terrane


def mortal(terrane: MemoryApp, fuse: Fuse) -> None:
    parts = vars(terrane.app)
    parts["blobs"] = Mortal(terrane.blobs, fuse, _WRITES)
    parts["effects"] = Mortal(parts["effects"], fuse, _ARTIFACTS, ("transaction",))
    parts["tasks"] = Mortal(parts["tasks"], fuse, _TASKS)


def run(terrane: MemoryApp, *, rerun: bool = False) -> str:
    """Run the job to its end and its clean-up's, with a new process for each that dies."""
    request = SubmitRequest("writing", {}, rerun=rerun)
    job_id = terrane.app.submission.submit(request).job_id
    for _ in range(20):
        with suppress(Died):
            terrane.work()
        job = terrane.app.jobs.get(job_id)
        assert job is not None
        if job.ended and job.cleanup != "pending":
            assert job.cleanup in ("none", "done")
            return str(job.status)
        terrane.state.clock.advance(timedelta(minutes=2))  # type: ignore[attr-defined]
        for lane in ("light", "heavy"):
            terrane.queue.ring(lane)
    raise AssertionError("the job came to no end")


def contents(terrane: MemoryApp) -> dict[str, str]:
    return {
        str(found.ref): terrane.blobs.read_range(found.ref, 0, 100).decode()
        for container in (PLACE.container, "rmhazuregeotemp")
        for found in terrane.blobs.list_blobs(container)
    }


def recorded_etag(terrane: MemoryApp) -> str | None:
    [etag] = [row.etag for row in terrane.state.artifacts if row.state == "live"]
    return etag


@pytest.mark.parametrize(
    ("last_fails", "status", "content"),
    [(True, "failed", "revision 1"), (False, "completed", "revision 2")],
)
def test_a_rerun_that_dies_anywhere_leaves_the_content_of_the_revision_that_is_published(
    last_fails: bool, status: str, content: str
) -> None:
    moment = 0
    while True:
        terrane = writing(last_fails=last_fails)
        fuse = Fuse(NEVER)
        mortal(terrane, fuse)
        assert run(terrane) == "completed"
        fuse.seen, fuse.moment = 0, moment

        assert run(terrane, rerun=True) == status

        assert contents(terrane) == {str(PLACE): content}
        there = terrane.blobs.properties(PLACE)
        assert (there.etag, there.content_type) == (recorded_etag(terrane), "image/tiff")
        assert (there.metadata["made"], there.access_tier) == ("here", "Cool")
        if not fuse.is_blown:
            break
        moment += 1
    assert moment > 25


class DiesBeforeItsWrite:
    """A store whose caller dies with a copy to the place still on its way, once."""

    def __init__(self, store: InMemoryBlobStore, kept: Path) -> None:
        self.store = store
        self.kept = kept
        self.late: Callable[[], BlobProperties] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def copy(self, source: BlobRef, target: BlobRef, options: WriteOptions) -> BlobProperties:
        """Copy, or die."""
        if target == PLACE and self.late is None:
            self.store.download(source, self.kept)
            self.late = lambda: self.store.upload(self.kept, target, options)
            raise Died
        return self.store.copy(source, target, options)


def test_a_write_that_comes_late_does_not_replace_what_was_put_back(tmp_path: Path) -> None:
    terrane = writing(last_fails=True)
    store = DiesBeforeItsWrite(terrane.blobs, tmp_path / "late")
    vars(terrane.app)["blobs"] = store
    run(terrane)

    assert run(terrane, rerun=True) == "failed"

    assert store.late is not None
    with pytest.raises(PreconditionFailed):
        store.late()
    assert contents(terrane) == {str(PLACE): "revision 1"}
