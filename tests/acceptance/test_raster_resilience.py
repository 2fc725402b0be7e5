"""A raster job whose worker, database, blob store or broker goes away while its COG is written.

TERRANE_OUTAGE_SECONDS makes the outages longer than the few seconds that show the same.
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.fixtures.processes import wait_until

if TYPE_CHECKING:
    from tests.factories.local_system import RunningSystem

OUTAGE_SECONDS = float(os.environ.get("TERRANE_OUTAGE_SECONDS", "5"))


@pytest.fixture
def writing(
    request: pytest.FixtureRequest, terrane: "RunningSystem", rasters: Path
) -> tuple[str, psutil.Process]:
    """Return a job whose COG is being written, and the process that does it."""
    name = f"{request.node.name}.tif"
    terrane.upload(f"resilience/{name}", (rasters / "long.tif").read_bytes())
    answer = terrane.submit(
        "process_raster_v2", container_name="bronze-rasters", blob_name=f"resilience/{name}"
    )
    job_id = answer.body["job_id"]
    return job_id, terrane.child(job_id, stage=2)


def worker_of(terrane: "RunningSystem", child: psutil.Process) -> psutil.Process:
    """Return the worker whose child this is."""
    return next(worker for worker in terrane.workers() if child in worker.children(recursive=True))


def outcomes(terrane: "RunningSystem", job_id: str) -> list[str]:
    """Return how the claims of the task that writes the COG ended, in their order."""
    [task] = terrane.tasks(job_id, 2)
    return terrane.query(
        "SELECT event FROM app.events WHERE task_id = %s ORDER BY event_id",
        task["task_id"],
    )


def assert_published_once(terrane: "RunningSystem", job_id: str, directory: Path) -> dict[str, Any]:
    """Hold a job to have completed, with one valid COG, one item that fits it, and nothing beside."""
    job = terrane.ended(job_id)
    assert job["status"] == "completed", job["error"]
    [item] = terrane.query(
        "SELECT pgstac.get_item(id, collection) FROM pgstac.items"
        " WHERE content #>> '{properties,app:job_id}' = %s",
        job_id,
    )
    asset = item["assets"]["data"]
    with terrane.blobs as service:
        written = [
            blob.name
            for container in service.list_containers()
            for blob in service.get_container_client(container.name).list_blobs(include=["metadata"])
            if (blob.metadata or {}).get("terrane_job") == job_id
        ]
        [name] = [name for name in written if name.endswith("_cog.tif")]
        cog = directory / "cog.tif"
        cog.write_bytes(service.get_blob_client("silver-cogs", name).download_blob().readall())
    assert len(written) == 2, "the COG and its thumbnail"
    assert asset["file:checksum"] == f"1220{hashlib.sha256(cog.read_bytes()).hexdigest()}"
    command = [str(Path(sys.executable).with_name("rio")), "cogeo", "validate", "--strict", str(cog)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "is a valid cloud optimized GeoTIFF" in said
    assert terrane.children(job_id) == []
    assert not list(terrane.home.glob(f"workspace/terrane/*/{Path(name).stem.removesuffix('_cog')}*"))
    return job


def test_a_worker_killed_while_it_writes_costs_a_lease(
    terrane: "RunningSystem", writing: tuple[str, psutil.Process], tmp_path: Path
) -> None:
    job_id, child = writing

    worker_of(terrane, child).kill()

    wait_until(lambda: not child.is_running(), 30)
    assert_published_once(terrane, job_id, tmp_path)
    assert outcomes(terrane, job_id) == ["rescue", "completed"]


def test_a_worker_asked_to_end_gives_its_task_back_at_once(
    terrane: "RunningSystem", writing: tuple[str, psutil.Process], tmp_path: Path
) -> None:
    job_id, child = writing

    worker_of(terrane, child).terminate()

    wait_until(lambda: not child.is_running(), 30)
    assert_published_once(terrane, job_id, tmp_path)
    assert outcomes(terrane, job_id) == ["release", "completed"]
    assert terrane.tasks(job_id, 2)[0]["attempt"] == 1


def test_a_database_that_restarts_fails_nothing(
    terrane: "RunningSystem", writing: tuple[str, psutil.Process], tmp_path: Path
) -> None:
    job_id, _ = writing

    with terrane.without("postgres", signal.SIGINT):
        time.sleep(OUTAGE_SECONDS)

    assert_published_once(terrane, job_id, tmp_path)


def test_a_blob_store_that_is_away_is_waited_for(
    terrane: "RunningSystem", writing: tuple[str, psutil.Process], tmp_path: Path
) -> None:
    job_id, _ = writing

    with terrane.without("azurite"):
        wait_until(lambda: "retry" in outcomes(terrane, job_id), 120)
        time.sleep(OUTAGE_SECONDS)

    assert_published_once(terrane, job_id, tmp_path)
    *before, last = outcomes(terrane, job_id)
    [error, *_] = terrane.query(
        "SELECT error FROM app.events WHERE job_id = %s AND event = 'retry' ORDER BY event_id", job_id
    )
    assert (set(before), last) == ({"retry"}, "completed")
    assert (error["code"], error["retryable"]) == ("storage.unavailable", True)
    assert "127.0.0.1" in error["message"]


def test_a_broker_that_restarts_loses_bells_and_no_work(
    terrane: "RunningSystem", writing: tuple[str, psutil.Process], tmp_path: Path
) -> None:
    job_id, _ = writing
    waiting = terrane.submit("hello_world", n=300, message="Waiting", sleep_seconds=0.1).body["job_id"]

    with terrane.without("servicebus"):
        submitted = terrane.submit("hello_world", n=3, message="Submitted without a broker")

    assert_published_once(terrane, job_id, tmp_path)
    assert submitted.status == 202
    assert {terrane.ended(one)["status"] for one in (waiting, submitted.body["job_id"])} == {"completed"}
