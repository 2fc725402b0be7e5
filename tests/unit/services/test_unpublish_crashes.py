"""Unpublishing and restoring, killed at every boundary: no item ever points at nothing."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from core.ports.blobs import BlobRef, WriteOptions
from core.submission import SubmitRequest
from tests.factories.clock import ManualClock
from tests.factories.crashes import Died, Fuse, Mortal
from tests.factories.memory_app import MemoryApp, memory_app
from tests.factories.stac import collection, item

COG = BlobRef("silver-cogs", "tile_cog.tif")
NEVER = 10_000

_WRITES = ("upload", "copy", "delete", "commit_empty")
_ARTIFACTS = ("begin_artifact", "record_artifact", "close_artifact")
_TASKS = ("claim", "end", "end_plan", "rescue")


def catalogued(fuse: Fuse, folder: Path) -> tuple[MemoryApp, ManualClock]:
    """Return an app with one item whose COG is there, and a fuse in every one of its adapters."""
    clock = ManualClock()
    terrane = memory_app(clock=clock)
    for container in ("silver-cogs", "rmhazuregeotemp"):
        terrane.blobs.ensure_container(container)
    source = folder / "cog"
    source.write_bytes(b"pixels")
    terrane.blobs.upload(source, COG, WriteOptions(content_type="image/tiff"))
    tile = item()
    tile["assets"]["data"]["href"] = terrane.blobs.url(COG)
    writer = terrane.app.catalogue.writer()
    writer.ensure_collection(collection())
    writer.upsert_items([tile])
    writer.commit()
    parts = vars(terrane.app)
    parts["blobs"] = Mortal(terrane.blobs, fuse, _WRITES)
    parts["effects"] = Mortal(parts["effects"], fuse, _ARTIFACTS, ("transaction",))
    parts["tasks"] = Mortal(parts["tasks"], fuse, _TASKS)
    return terrane, clock


def run(terrane: MemoryApp, clock: ManualClock, job_type: str, parameters: dict[str, Any]) -> str:
    """Run a job to its end and its clean-up's, with a new process for each that dies."""
    job_id = terrane.app.submission.submit(SubmitRequest(job_type, parameters)).job_id
    for _ in range(20):
        try:
            terrane.work()
        except Died:
            check(terrane)
        job = terrane.app.jobs.get(job_id)
        assert job is not None
        if job.ended and job.cleanup != "pending":
            assert job.status == "completed", job.error
            return job_id
        clock.advance(timedelta(minutes=2))
        for lane in ("light", "heavy"):
            terrane.queue.ring(lane)
    raise AssertionError(f"{job_type} came to no end")


def contents(terrane: MemoryApp) -> dict[str, bytes]:
    return {
        found.ref.name: terrane.blobs.read_range(found.ref, 0, 100)
        for found in terrane.blobs.list_blobs("silver-cogs")
    }


def check(terrane: MemoryApp) -> None:
    """Hold what everybody sees to the promise."""
    if terrane.app.catalogue.get_item("dem", "tile") is not None:
        assert contents(terrane)["tile_cog.tif"] == b"pixels"


REMOVAL = {"collection_id": "dem", "stac_item_id": "tile", "dry_run": False}


def test_an_unpublishing_that_dies_anywhere_comes_to_the_same_end(tmp_path: Path) -> None:
    moment = 0
    while True:
        fuse = Fuse(moment)
        terrane, clock = catalogued(fuse, tmp_path)

        job_id = run(terrane, clock, "unpublish_raster", REMOVAL)

        assert terrane.app.catalogue.get_item("dem", "tile") is None
        assert terrane.app.catalogue.get_collection("dem") is None
        assert contents(terrane) == {f"trash/{job_id}/1/tile_cog.tif": b"pixels"}
        [record] = terrane.state.unpublished.values()
        assert [blob.location for blob in record.blobs] == [str(COG)]
        if not fuse.is_blown:
            break
        moment += 1
    assert moment > 30


def test_a_restoration_that_dies_anywhere_comes_to_the_same_end(tmp_path: Path) -> None:
    moment = 0
    while True:
        fuse = Fuse(NEVER)
        terrane, clock = catalogued(fuse, tmp_path)
        before = terrane.app.catalogue.get_item("dem", "tile")
        run(terrane, clock, "unpublish_raster", REMOVAL)
        [record] = terrane.state.unpublished.values()
        fuse.seen, fuse.moment = 0, moment

        run(terrane, clock, "restore_unpublished", {"audit_id": record.id})

        assert terrane.app.catalogue.get_item("dem", "tile") == before
        assert terrane.app.catalogue.get_collection("dem") is not None
        assert contents(terrane) == {"tile_cog.tif": b"pixels"}
        if not fuse.is_blown:
            break
        moment += 1
    assert moment > 30
