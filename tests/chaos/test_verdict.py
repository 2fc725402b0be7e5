"""The judge of the chaos test finds what is wrong: each thing is put there by hand."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from local.home import Home
from tests.chaos.effects import TABLE
from tests.chaos.faults import Machine
from tests.chaos.verdict import Verdict
from tests.chaos.workload import Workload
from tests.factories.local_system import RunningSystem, running_system

JOB = "ab" * 32
# Nobody mends what is broken here, and nobody works.
_SETTINGS = {"JANITOR_ENABLED": "false", "ENGINE_SERVE_LANES": "[]"}

_EMPTY = """
DELETE FROM app.artifacts; DELETE FROM app.events; DELETE FROM app.tasks; DELETE FROM app.jobs;
DELETE FROM chaos.effects; DROP TABLE IF EXISTS geo.lost
"""
_JOB = """
INSERT INTO app.jobs (
    job_id, job_type, status, priority, identity, row_version, parameters, total_stages, requested_by,
    updated_at, completed_at)
VALUES (%(job_id)s, 'counted', %(status)s, 5, 'while_active', 1, '{}', 2, 'ada', now() - interval '1 hour',
        CASE WHEN %(status)s = 'completed' THEN now() END)
"""
_TASK = """
INSERT INTO app.tasks (
    task_id, job_id, revision, stage, kind, key, slot, task_type, lane, rank, deadline, row_version, status,
    fence, ended_fence, max_attempts, error, completed_at)
VALUES ('t', %(job_id)s, 1, 1, 'work', '000', 0, 'write_counted', 'light', 4, now() + interval '1 day', 1,
        %(status)s, 2, 1, 3, %(error)s::jsonb, now())
"""
_LEDGER = """
INSERT INTO app.stages (
    job_id, revision, number, name, task_type, parallelism, on_task_failure, status, completed_at)
VALUES (%(job_id)s, 1, 1, 'write', 'write_counted', 'fan_out', 'stop', 'completed', now());
"""
_SLOT = "INSERT INTO app.stage_slots VALUES (%(job_id)s, 1, 1, 0, 0, 7, 0, 0)"
_ARTIFACT = """
INSERT INTO app.artifacts (kind, location, job_id, revision, role, state)
VALUES ('blob', 'silver-cogs/missing.tif', %(job_id)s, 1, 'published', 'live')
"""


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    with running_system(_SETTINGS) as found:
        with psycopg.connect(found.variables["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(TABLE)
        yield found


@pytest.fixture
def owner(system: RunningSystem) -> Iterator[psycopg.Connection]:
    with psycopg.connect(system.variables["DATABASE_URL"], autocommit=True) as connection:
        yield connection
        connection.execute(_EMPTY)


def faults_of(system: RunningSystem) -> list[str]:
    return Verdict(Workload(system, 1, 1), Machine(system, own_disk=False), {}, settle_seconds=1).faults()


def a_job(owner: psycopg.Connection, status: str = "completed") -> None:
    owner.execute(_JOB, {"job_id": JOB, "status": status})


def a_task(owner: psycopg.Connection, status: str, error: str = "null") -> None:
    a_job(owner)
    owner.execute(_TASK, {"job_id": JOB, "status": status, "error": error})


def test_nothing_is_found_where_nothing_is_wrong(system: RunningSystem) -> None:
    assert faults_of(system) == []


def test_a_job_that_nothing_moves_is_found(system: RunningSystem, owner: psycopg.Connection) -> None:
    a_job(owner, "processing")

    found = faults_of(system)

    assert any(fault.startswith("there is work left") for fault in found)
    assert any("job.idle" in fault for fault in found)


def test_an_effect_of_a_claim_that_does_not_count_is_found(
    system: RunningSystem, owner: psycopg.Connection
) -> None:
    a_task(owner, "failed")
    owner.execute("INSERT INTO chaos.effects VALUES (%s, 1, 1, '000', 1, true)", [JOB])

    found = faults_of(system)

    assert any(fault.startswith("an effect of a claim") for fault in found)


def test_a_completed_task_without_its_effect_is_found(
    system: RunningSystem, owner: psycopg.Connection
) -> None:
    a_task(owner, "completed")

    found = faults_of(system)

    assert any(fault.startswith("completed without its effect") for fault in found)


def test_a_ledger_that_disagrees_is_found(system: RunningSystem, owner: psycopg.Connection) -> None:
    a_job(owner)
    owner.execute(_LEDGER, {"job_id": JOB})
    owner.execute(_SLOT, {"job_id": JOB})

    found = faults_of(system)

    assert any(fault.startswith("the ledger disagrees") for fault in found)


def test_a_bug_that_a_task_met_is_found(system: RunningSystem, owner: psycopg.Connection) -> None:
    a_task(owner, "failed", '{"code": "task.unexpected_error", "message": "KeyError"}')

    found = faults_of(system)

    assert any("met a bug" in fault for fault in found)


def test_an_orphan_blob_and_a_missing_one_are_found(system: RunningSystem, owner: psycopg.Connection) -> None:
    a_job(owner)
    owner.execute(_ARTIFACT, {"job_id": JOB})
    with system.blobs as service:
        orphan = service.get_blob_client("silver-cogs", "orphan.tif")
        orphan.upload_blob(b"x")
        found = faults_of(system)
        orphan.delete_blob()

    assert any(fault.startswith("orphan blob: silver-cogs/orphan.tif") for fault in found)
    assert any(fault.startswith("published blob that is not there") for fault in found)


def test_a_table_that_nobody_owns_is_found(system: RunningSystem, owner: psycopg.Connection) -> None:
    owner.execute("CREATE TABLE geo.lost (number integer)")

    assert any(fault.startswith("a table that nobody owns") for fault in faults_of(system))


def test_a_session_without_its_process_is_found(system: RunningSystem) -> None:
    url = urlsplit(system.variables["DATABASE_URL"])
    with psycopg.connect(
        host=url.hostname,
        port=url.port,
        dbname=url.path[1:],
        user="terrane_app",
        password=Home(system.home).secret("terrane_app"),
        application_name="terrane host:4194305",
    ):
        found = faults_of(system)

    assert any(fault.startswith("a session without its process") for fault in found)


def test_a_bell_that_goes_on_is_found(system: RunningSystem, owner: psycopg.Connection) -> None:
    system.submit("hello_world", n=1, message="rings")

    found = faults_of(system)

    assert any(fault.startswith("bells go on") for fault in found)


def test_a_child_that_outlived_its_worker_is_found(system: RunningSystem) -> None:
    code = "import sys; sys.stdin.read()  # infrastructure.isolation"
    environment = {**os.environ, "PYTHONPATH": str(Path(system.home, "app"))}
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, env=environment)
    try:
        found = faults_of(system)
    finally:
        child.communicate(b"")

    assert any(fault.startswith("a child outlived its worker") for fault in found)
