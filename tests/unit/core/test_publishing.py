"""What a writer makes of a blob that stands where it has the claim to write."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import Conflict
from core.models.claims import ClaimedTask
from core.ports.blobs import BlobRef, WriteOptions
from core.ports.engine import FenceLost
from core.publishing import BlobPublisher
from core.states import Outcome
from infrastructure.memory.blob_store import InMemoryBlobStore
from tests.factories.clock import ManualClock
from tests.factories.engine import LEASE, EngineStore

PLACE = BlobRef("silver", "a.tif")

Publish = Callable[[ClaimedTask, str], None]


@pytest.fixture
def blobs() -> InMemoryBlobStore:
    store = InMemoryBlobStore(ManualClock())
    store.ensure_container("silver")
    return store


@pytest.fixture
def publish(memory_store: EngineStore, blobs: InMemoryBlobStore, tmp_path: Path) -> Publish:
    def write(task: ClaimedTask, content: str) -> None:
        source = tmp_path / "source"
        source.write_text(content)
        publisher = BlobPublisher(task, blobs, memory_store.effects, "temp")
        publisher.publish(PLACE, WriteOptions(), None, lambda to, how: blobs.upload(source, to, how))

    return write


def written(blobs: InMemoryBlobStore) -> str:
    return blobs.read_range(PLACE, 0, 100).decode()


def test_what_a_dead_claim_of_the_same_task_wrote_is_written_over(
    memory_store: EngineStore, blobs: InMemoryBlobStore, publish: Publish
) -> None:
    [first] = memory_store.start()
    publish(first, "first")
    memory_store.effects._state.artifacts[0].etag = None
    memory_store.advance(2 * LEASE)
    memory_store.tasks.rescue(10)
    [second] = memory_store.claim()

    publish(second, "second")

    assert written(blobs) == "second"


def test_what_another_job_left_behind_is_written_over(
    memory_store: EngineStore, blobs: InMemoryBlobStore, publish: Publish
) -> None:
    [dead] = memory_store.start(name="dead")
    publish(dead, "left behind")
    memory_store.effects.close_artifact(dead, memory_store.effects.artifacts(dead.job_id, 1)[0], "released")
    [task] = memory_store.start(name="alive")

    publish(task, "good")

    assert written(blobs) == "good"


def test_a_writer_without_its_fence_takes_no_good_result_for_something_left_behind(
    memory_store: EngineStore, blobs: InMemoryBlobStore, publish: Publish, tmp_path: Path
) -> None:
    [late] = memory_store.start(name="late")
    [task] = memory_store.start(name="alive")
    source = tmp_path / "late"
    source.write_text("late")

    def write_when_it_is_too_late(to: BlobRef, how: WriteOptions) -> object:
        if memory_store.task(late).status == "processing":
            record = memory_store.effects.artifacts(late.job_id, 1)[0]
            memory_store.effects.close_artifact(late, record, "released")
            memory_store.end(late, Outcome.FAILED)
            publish(task, "good")
        return blobs.upload(source, to, how)

    with pytest.raises(FenceLost):
        BlobPublisher(late, blobs, memory_store.effects, "temp").publish(
            PLACE, WriteOptions(), None, write_when_it_is_too_late
        )

    assert written(blobs) == "good"


def test_what_a_stranger_wrote_is_left_alone(
    memory_store: EngineStore, blobs: InMemoryBlobStore, publish: Publish, tmp_path: Path
) -> None:
    source = tmp_path / "stranger"
    source.write_text("stranger")
    blobs.upload(source, PLACE, WriteOptions())
    [task] = memory_store.start()

    with pytest.raises(Conflict, match="something other"):
        publish(task, "good")

    assert written(blobs) == "stranger"
