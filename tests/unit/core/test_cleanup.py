"""What a job leaves behind goes when it ends, and nothing of anybody else."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.declaration import PrefixTemplate
from core.ports.blobs import BlobRef, WriteOptions
from core.states import JobStatus
from core.submission import SubmitRequest
from tests.factories.clock import ManualClock
from tests.factories.leavings import TEMP, TILES, LeavingJob, leave
from tests.factories.memory_app import MemoryApp, memory_app

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def terrane(clock: ManualClock) -> MemoryApp:
    return memory_app([LeavingJob], [leave], clock)


def submit(terrane: MemoryApp, ends: str = "well") -> str:
    return terrane.app.submission.submit(SubmitRequest("leaving", {"ends": ends})).job_id


def blobs(terrane: MemoryApp) -> list[str]:
    return [blob.ref.name for each in (TEMP, TILES) for blob in terrane.blobs.list_blobs(each)]


def add_twin(terrane: MemoryApp, job_id: str, status: JobStatus) -> None:
    """Add a job whose id begins like `job_id`, ended now unless it is active."""
    ended = None if status is JobStatus.PROCESSING else terrane.state.clock.now()
    twin = job_id[:8] + "0" * 56
    row = replace(terrane.state.jobs[job_id], job_id=twin, status=status, completed_at=ended)
    terrane.state.jobs[twin] = row


@pytest.mark.parametrize("ends", ["well", "failing"])
def test_intermediates_go_with_the_end_of_their_job_also_those_of_its_last_second(
    terrane: MemoryApp, ends: str
) -> None:
    job_id = submit(terrane, ends)

    terrane.work()

    job = terrane.app.jobs.get(job_id)
    assert job is not None
    assert (job.ended, job.cleanup) == (True, "done")
    assert blobs(terrane) == []


def test_a_cancelled_job_is_cleaned_up_after(terrane: MemoryApp, tmp_path: Path) -> None:
    job_id = submit(terrane)
    terrane.claim()
    terrane.blobs.ensure_container(TEMP)
    terrane.blobs.ensure_container(TILES)
    file = tmp_path / "chunk"
    file.write_bytes(b"12345")
    terrane.blobs.upload(file, BlobRef(TEMP, f"temp/vector_etl/{job_id}/chunk_1.parquet"), WriteOptions())
    terrane.app.submission.bells.follow(
        terrane.app.jobs.stop(job_id, "cancelled", {"code": "job.cancelled"}, "tester").follow_ups
    )
    for task in list(terrane.state.tasks.values()):
        if task.lease_until:
            task.lease_until = terrane.state.clock.now() - SECOND

    terrane.app.janitor.run("task_watchdog", "tester")
    terrane.work()

    job = terrane.app.jobs.get(job_id)
    assert job is not None
    assert (job.status, job.cleanup) == (JobStatus.CANCELLED, "done")
    assert blobs(terrane) == []


def test_a_live_job_of_the_same_beginning_keeps_its_tiles(terrane: MemoryApp) -> None:
    job_id = submit(terrane)
    add_twin(terrane, job_id, JobStatus.PROCESSING)

    terrane.work()

    assert blobs(terrane) == [f"{job_id[:8]}/tiles/1.tif"]


def test_what_ended_jobs_of_one_beginning_still_have_goes_after_the_grace_period(
    terrane: MemoryApp, clock: ManualClock
) -> None:
    job_id = submit(terrane)
    add_twin(terrane, job_id, JobStatus.COMPLETED)
    terrane.work()
    # Of the second in which the job ended nobody can say whose the blob is.
    kept = blobs(terrane)
    clock.advance(timedelta(hours=25))

    terrane.app.janitor.run("orphan_detector", "tester")

    assert kept == [f"{job_id[:8]}/tiles/1.tif"]
    assert blobs(terrane) == []


def test_a_clean_up_whose_job_runs_again_leaves_the_prefixes_alone(
    terrane: MemoryApp, clock: ManualClock
) -> None:
    job_id = submit(terrane)
    terrane.work()
    clock.advance(timedelta(minutes=5))
    job = terrane.state.jobs[job_id]
    terrane.state.add_tasks([terrane.state.cleanup_task(job, 1, 2)])
    terrane.state.jobs[job_id] = replace(
        job, revision=2, status=JobStatus.PROCESSING, completed_at=None, cleanup="none"
    )
    name = f"temp/vector_etl/{job_id}/of_the_second.parquet"
    file = terrane.app._surroundings.workspaces.parent / f"{job_id[:8]}.parquet"
    file.write_bytes(b"12345")
    terrane.blobs.upload(file, BlobRef(TEMP, name), WriteOptions())
    file.unlink()

    terrane.app.machine.answer_bell("light")

    assert blobs(terrane) == [name]


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        ("temp/vector_etl/{job_id}/", "temp/vector_etl/"),
        ("{job_id[:8]}/tiles/", ""),
        ("a/{job_id[:12]}/b/", "a/"),
    ],
)
def test_a_template_tells_the_folder_of_a_job_and_the_job_of_a_folder(prefix: str, folder: str) -> None:
    job_id = "0123456789abcdef" * 4
    template = PrefixTemplate("temp", prefix)

    key = template.key(job_id)

    assert template.parent == folder
    assert template.of(job_id) == prefix.replace("{job_id}", job_id).replace(
        "{job_id[:8]}", job_id[:8]
    ).replace("{job_id[:12]}", job_id[:12])
    assert template.of(key) == template.of(job_id)
    assert template.key_in(f"{folder}{key}/") == key
    assert template.key_in(f"{folder}{key}0/") is None
    assert template.key_in(f"{folder}{key[:-1]}x/") is None


@pytest.mark.parametrize(
    "prefix",
    [
        "temp/all/",
        "{job_id}/",
        "temp/{job_id}",
        "temp/x{job_id}/",
        "{job_id[:4]}/tiles/",
        "{job_id[8]}/tiles/",
    ],
)
def test_a_template_that_could_take_other_jobs_blobs_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="folder of its own"):
        PrefixTemplate("temp", prefix)
