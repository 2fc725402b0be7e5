"""The sweeps over HTTP, on states broken with SQL and blobs left in Azurite."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import DictRow

from config.settings import DatabaseSettings
from core.ports.blobs import BlobRef, WriteOptions
from core.registry import Registry
from infrastructure.blob_store import AzureBlobStore
from tests.factories.leavings import TEMP, TILES, LeavingJob, leave
from tests.factories.memory_app import Client, MemoryApp
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.processes import wait_until

RUN = "/api/cleanup/run"
HELLO = "/api/jobs/submit/hello_world"


@pytest.fixture
def owner(
    postgres_server: PostgresServer, database_settings: DatabaseSettings
) -> Iterator[psycopg.Connection[DictRow]]:
    with closing(postgres_server.connect(database_settings.database)) as connection:
        yield connection


def submit(client: Client, number: int) -> str:
    job_id: str = client.post(HELLO, {"n": number}).json["job_id"]
    return job_id


def age_jobs(owner: psycopg.Connection[DictRow], by: str = "10 minutes") -> None:
    owner.execute(
        "UPDATE app.jobs SET updated_at = updated_at - %(by)s::interval,"
        " completed_at = completed_at - %(by)s::interval",
        {"by": by},
    )


def test_broken_jobs_complete_after_one_run_of_all(
    client: Client, terrane: MemoryApp, owner: psycopg.Connection[DictRow]
) -> None:
    silent, closed, lost = (submit(client, number) for number in (1, 2, 3))
    terrane.claim()
    owner.execute("UPDATE app.tasks SET lease_until = now() - interval '1 hour' WHERE job_id = %s", [silent])
    owner.execute(
        "UPDATE app.tasks SET status = 'completed', completed_at = now(), worker = NULL, lease_until = NULL,"
        " result = '{\"planned\": 0}' WHERE job_id = %s",
        [closed],
    )
    owner.execute("DELETE FROM app.tasks WHERE job_id = %s", [lost])
    age_jobs(owner)

    answer = client.post(f"{RUN}?type=all").json
    terrane.work()

    statuses = [client.get(f"/api/jobs/{job_id}").json["status"] for job_id in (silent, closed, lost)]
    actions = {
        (run["run_type"], action["action"]): action["items"]
        for run in answer["results"]
        for action in run["actions"]
    }
    assert answer["summary"]["all_success"]
    assert statuses == ["completed"] * 3
    assert len(actions["task_watchdog", "rescued"]) == 1
    assert actions["orphan_detector", "planned again"] == [lost]
    assert actions["orphan_detector", "moved on"] == [closed]
    recorded = client.get("/api/cleanup/history").json["items"]
    assert [run["run_type"] for run in recorded] == ["orphan_detector", "job_health", "task_watchdog"]
    assert {run["status"] for run in recorded} == {"completed"}


def test_counters_that_were_changed_by_hand_are_set_right(
    client: Client, terrane: MemoryApp, owner: psycopg.Connection[DictRow]
) -> None:
    job_id = submit(client, 6)
    [plan] = terrane.claim()
    terrane.app._executor.run(terrane.app.heart.hold(plan))
    owner.execute("UPDATE app.stage_slots SET open = 1, completed = 7 WHERE job_id = %s", [job_id])
    age_jobs(owner)

    [run] = client.post(f"{RUN}?type=job_health").json["results"]
    terrane.work()

    assert run["actions"] == [{"action": "counted again", "number": 1, "items": [job_id]}]
    shown = client.get(f"/api/jobs/{job_id}").json
    assert (shown["status"], shown["stages"][0]["tasks"]["completed"]) == ("completed", 6)


def test_blobs_that_a_crash_left_go_and_those_of_active_jobs_stay(
    client: Client,
    terrane: MemoryApp,
    owner: psycopg.Connection[DictRow],
    azure_blobs: AzureBlobStore,
    tmp_path: Path,
) -> None:
    vars(terrane.app).update(registry=Registry([LeavingJob], [leave]), blobs=azure_blobs)
    terrane.app.settings.janitor.intermediates_grace_hours = 0
    ended = client.post("/api/jobs/submit/leaving", {}).json["job_id"]
    terrane.work()
    active = client.post("/api/jobs/submit/leaving", {"ends": "failing"}).json["job_id"]
    file = tmp_path / "chunk"
    file.write_bytes(b"12345")
    left = BlobRef(TEMP, f"temp/vector_etl/{ended}/late.parquet")
    kept = BlobRef(TEMP, f"temp/vector_etl/{active}/chunk_1.parquet")
    tile = BlobRef(TILES, f"{ended[:8]}/tiles/late.tif")
    for ref in (left, kept, tile):
        azure_blobs.upload(file, ref, WriteOptions())
    told: list[dict[str, object]] = []

    def is_gone() -> bool:
        # The store keeps whole seconds: what was written in this one is not older than it.
        [run] = client.post(f"{RUN}?type=orphan_detector").json["results"]
        told.extend(action for action in run["actions"] if "prefix" in action)
        return len(told) == 2

    wait_until(is_gone, 20)

    assert {action["prefix"] for action in told} == {
        f"{TEMP}/temp/vector_etl/{ended}/",
        f"{TILES}/{ended[:8]}/tiles/",
    }
    assert [action["nbytes"] for action in told] == [5, 5]
    here = [blob.ref for each in (TEMP, TILES) for blob in azure_blobs.list_blobs(each)]
    assert kept in here
    assert not {left, tile} & set(here)
    azure_blobs.delete(kept)


def test_rows_of_jobs_that_ended_long_ago_are_pruned(
    client: Client, terrane: MemoryApp, owner: psycopg.Connection[DictRow]
) -> None:
    job_id = submit(client, 3)
    terrane.work()
    age_jobs(owner, "91 days")

    [run] = client.post(f"{RUN}?type=prune").json["results"]

    assert run["fixed"] > 8
    assert client.get(f"/api/jobs/{job_id}/tasks").json["items"] == []
    assert client.get(f"/api/jobs/{job_id}").json["result"] is not None


def test_silent_workers_are_listed_page_by_page(
    client: Client, terrane: MemoryApp, owner: psycopg.Connection[DictRow]
) -> None:
    jobs = [submit(client, number) for number in (1, 2)]
    terrane.claim()
    for number, job_id in enumerate(jobs, 1):
        owner.execute(
            "UPDATE app.tasks SET heartbeat_at = now() - %s * interval '1 minute', message = 'at work',"
            " progress = 0.5 WHERE job_id = %s",
            [number, job_id],
        )

    first = client.get("/api/dbadmin/zombie-tasks?limit=1").json
    rest = client.get(first["next"]).json

    [zombie] = first["items"]
    assert (zombie["job_id"], zombie["progress"], zombie["message"]) == (jobs[1], 0.5, "at work")
    assert (zombie["action"], zombie["worker"]) == ("requeue", "idler")
    assert ([one["job_id"] for one in rest["items"]], rest["next"]) == ([jobs[0]], None)


def test_the_status_tells_of_a_sweep_whose_process_died(
    client: Client, terrane: MemoryApp, owner: psycopg.Connection[DictRow]
) -> None:
    owner.execute(
        "INSERT INTO app.janitor_runs (run_type, status, triggered_by) VALUES ('prune', 'running', 'timer')"
    )

    before = {s["sweep"]: s["condition"] for s in client.get("/api/cleanup/status").json["sweeps"]}
    client.post(f"{RUN}?type=job_health")
    after = {s["sweep"]: s["condition"] for s in client.get("/api/cleanup/status").json["sweeps"]}

    assert (before["prune"], after["prune"], after["job_health"]) == ("dead", "failing", "ok")
