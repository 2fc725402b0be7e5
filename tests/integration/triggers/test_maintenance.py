"""Rebuilding the database, on PostgreSQL and Azurite."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from config.defaults import STACDefaults
from config.settings import DatabaseSettings
from core import codes
from core.ports.blobs import BlobRef
from infrastructure.blob_store import AzureBlobStore
from infrastructure.database import Database
from infrastructure.maintenance import Maintenance
from infrastructure.pgstac_bootstrap import PgStacBootstrap
from services.stac.collections import system_collections
from tests.factories.memory_app import Answer, Client, MemoryApp, Unavailable
from tests.fixtures.postgres import APP_ROLE, PostgresServer

CLEANUP = "/api/dbadmin/maintenance/cleanup"
FULL = "/api/dbadmin/maintenance/full-rebuild"
REDEPLOY = "/api/dbadmin/maintenance/redeploy"
PGSTAC = "/api/dbadmin/maintenance/pgstac/redeploy"
SUBMIT = "/api/jobs/submit/hello_world"

_PUBLISHED = """
INSERT INTO app.artifacts (kind, location, job_id, revision, role, state, nbytes, etag)
SELECT kind, location, %(job_id)s, 1, 'published', 'live', 100, '"0x1"'
  FROM (VALUES ('blob', 'silver-cogs/a_cog.tif'), ('item', 'system-rasters/a'), ('table', 'geo.a'))
       AS a (kind, location)
"""

_UNPUBLISHED = """
INSERT INTO app.unpublished_jobs (
    id, unpublish_job_id, unpublish_revision, artifacts_deleted, collection_deleted)
VALUES (gen_random_uuid(), repeat('c', 64), 1, '{"blobs": [{"name": "it''s gone"}]}', false)
"""


@pytest.fixture
def maintenance(
    terrane: MemoryApp, owner_settings: DatabaseSettings, azure_blobs: AzureBlobStore, azure_container: str
) -> Iterator[Maintenance]:
    with closing(Database(owner_settings, lambda: None, "maintenance")) as database:
        parts = Maintenance(
            database=database,
            bootstrap=PgStacBootstrap(database, APP_ROLE),
            app_role=APP_ROLE,
            blobs=azure_blobs,
            container=azure_container,
            collections=system_collections(STACDefaults.SYSTEM_COLLECTIONS),
        )
        vars(terrane.app)["maintenance"] = parts
        yield parts


@pytest.fixture
def owner(
    postgres_server: PostgresServer, database_settings: DatabaseSettings
) -> Iterator[psycopg.Connection[DictRow]]:
    with closing(postgres_server.connect(database_settings.database)) as connection:
        yield connection


@pytest.fixture
def published(
    client: Client, terrane: MemoryApp, maintenance: Maintenance, owner: psycopg.Connection[DictRow]
) -> str:
    """A completed job with a blob, an item and a table that are live, beside one with nothing."""
    job_id: str = client.post(SUBMIT, {"n": 2}).json["job_id"]
    client.post(SUBMIT, {"n": 2, "message": "nothing left of it"})
    terrane.work()
    owner.execute(_PUBLISHED, {"job_id": job_id})
    owner.execute(
        "SET ROLE terrane_app; CREATE TABLE geo.a AS SELECT generate_series(1, 5) AS id; RESET ROLE"
    )
    return job_id


def artifacts(owner: psycopg.Connection[DictRow]) -> dict[str, str]:
    rows = owner.execute("SELECT kind, state FROM app.artifacts")
    return {row["kind"]: row["state"] for row in rows}


def lines_of(answer: Answer, blobs: AzureBlobStore) -> list[dict[str, Any]]:
    container, _, name = answer.json["archive"].partition("/")
    ref = BlobRef(container, name)
    text = blobs.read_range(ref, 0, blobs.properties(ref).nbytes).decode()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("path", [FULL, REDEPLOY, PGSTAC])
def test_nothing_is_dropped_unless_it_is_confirmed(
    client: Client, published: str, owner: psycopg.Connection[DictRow], path: str
) -> None:
    for query in ("", "?confirm=no", "?confirm=true", "?force=yes"):
        answer = client.post(f"{path}{query}")
        assert (answer.status, answer.json["code"]) == (400, "maintenance.unconfirmed")

    expected = {"pgstac.collections": 3} if path == PGSTAC else {"app.jobs": 2, "app.artifacts": 3}
    assert expected.items() <= answer.json["details"]["rows"].items()
    assert artifacts(owner) == {"blob": "live", "item": "live", "table": "live"}


def test_a_full_rebuild_keeps_what_is_published_and_its_job(
    client: Client,
    terrane: MemoryApp,
    published: str,
    owner: psycopg.Connection[DictRow],
    azure_blobs: AzureBlobStore,
) -> None:
    owner.execute(_UNPUBLISHED)
    audit = owner.execute("SELECT * FROM app.unpublished_jobs").fetchall()
    before = client.get(f"/api/jobs/{published}").json

    answer = client.post(f"{FULL}?confirm=yes")

    assert answer.status == 200, answer.json
    assert answer.json["before"]["app.jobs"] == 2
    assert answer.json["kept"] == answer.json["restored"]
    assert answer.json["kept"]["artifacts"] == 3
    assert answer.json["sessions_ended"] >= 1
    tables = {line["table"] for line in lines_of(answer, azure_blobs)}
    assert tables == {"jobs", "stages", "stage_slots", "artifacts", "unpublished_jobs"}
    assert owner.execute("SELECT * FROM app.unpublished_jobs").fetchall() == audit
    # The item went with the catalogue; the table stayed, for geo was not asked for.
    assert artifacts(owner) == {"blob": "live", "item": "deleted", "table": "live"}
    after = client.get(f"/api/jobs/{published}").json
    changed = {"unpublished_at", "updated_at"}
    assert {k: v for k, v in after.items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed
    }
    assert after["unpublished_at"] is not None
    assert [job["job_id"] for job in client.get("/api/jobs").json["items"]] == [published]
    assert owner.execute("SELECT * FROM app.violations").fetchall() == []


def test_the_app_works_on_after_a_full_rebuild(
    client: Client, terrane: MemoryApp, published: str, owner: psycopg.Connection[DictRow]
) -> None:
    client.post(f"{FULL}?confirm=yes")

    again = client.post(f"/api/jobs/{published}/resubmit")
    fresh = client.post(SUBMIT, {"n": 5, "message": "fresh"}).json["job_id"]
    terrane.work()

    assert (again.status, again.json["revision"]) == (202, 2)
    for job_id in (published, fresh):
        assert client.get(f"/api/jobs/{job_id}").json["status"] == "completed"
    collections = owner.execute("SELECT id FROM pgstac.collections").fetchall()
    assert {row["id"] for row in collections} == set(STACDefaults.SYSTEM_COLLECTIONS)
    # New rows are numbered behind those that were read back.
    owner.execute(
        "INSERT INTO app.artifacts (kind, location, job_id, revision, role, state) "
        "VALUES ('blob', 'silver-cogs/b.tif', %s, 2, 'published', 'live')",
        [published],
    )


def test_geo_goes_only_when_it_is_named(
    client: Client, published: str, owner: psycopg.Connection[DictRow]
) -> None:
    answer = client.post(f"{FULL}?confirm=yes&include=geo")

    assert answer.json["before"]["geo.a"] == 5
    assert artifacts(owner) == {"blob": "live", "item": "deleted", "table": "deleted"}
    assert owner.execute("SELECT to_regclass('geo.a') AS found").fetchone() == {"found": None}
    assert owner.execute("SELECT has_schema_privilege('terrane_app', 'geo', 'CREATE') AS may").fetchone() == {
        "may": True
    }


def test_the_engine_alone_is_rebuilt_beside_the_catalogue(
    client: Client, published: str, owner: psycopg.Connection[DictRow]
) -> None:
    owner.execute('SELECT pgstac.create_collection(\'{"id": "mine", "type": "Collection"}\')')

    answer = client.post(f"{REDEPLOY}?confirm=yes")

    assert answer.status == 200
    assert artifacts(owner) == {"blob": "live", "item": "live", "table": "live"}
    assert client.get(f"/api/jobs/{published}").json["unpublished_at"] is None
    assert owner.execute("SELECT count(*) AS n FROM pgstac.collections").fetchone() == {"n": 4}


def test_the_catalogue_alone_is_rebuilt_beside_the_engine(
    client: Client, published: str, owner: psycopg.Connection[DictRow]
) -> None:
    answer = client.post(f"{PGSTAC}?confirm=yes")

    assert (answer.json["lost_artifacts"], answer.json["unpublished_jobs"]) == (1, 1)
    assert len(client.get("/api/jobs").json["items"]) == 2
    assert client.get(f"/api/jobs/{published}").json["unpublished_at"] is not None


def test_running_jobs_are_not_lost_without_force(
    client: Client, published: str, owner: psycopg.Connection[DictRow]
) -> None:
    client.post(SUBMIT, {"n": 2, "message": "waits"})

    refused = client.post(f"{FULL}?confirm=yes")
    forced = client.post(f"{FULL}?confirm=yes&force=yes")

    assert (refused.status, refused.json["code"]) == (409, "maintenance.jobs_active")
    assert refused.json["details"] == {"jobs": 1}
    assert forced.status == 200
    assert [job["job_id"] for job in client.get("/api/jobs").json["items"]] == [published]


def test_a_published_job_that_is_run_again_is_settled_by_force(
    client: Client, terrane: MemoryApp, published: str
) -> None:
    client.post("/api/jobs/submit/hello_world?rerun=true", {"n": 2})

    client.post(f"{REDEPLOY}?confirm=yes&force=yes")

    job = client.get(f"/api/jobs/{published}").json
    assert (job["status"], job["revision"], job["error"]["code"]) == ("cancelled", 2, "job.cancelled")
    assert {stage["status"] for stage in job["stages"]} == {"cancelled"}
    assert client.post(f"/api/jobs/{published}/resubmit").json["revision"] == 3


def test_a_rebuild_that_fails_has_changed_nothing(
    client: Client, published: str, maintenance: Maintenance, owner: psycopg.Connection[DictRow]
) -> None:
    before = client.get(f"/api/jobs/{published}").json
    # Fails at the very end of the transaction, when everything was dropped and recreated.
    vars(maintenance)["collections"] = [{"id": None}]

    answer = client.post(f"{FULL}?confirm=yes")

    assert answer.status == 500
    assert client.get(f"/api/jobs/{published}").json == before
    assert artifacts(owner) == {"blob": "live", "item": "live", "table": "live"}
    assert len(client.get("/api/jobs").json["items"]) == 2


def test_without_a_blob_store_nothing_is_dropped(
    client: Client, published: str, maintenance: Maintenance, owner: psycopg.Connection[DictRow]
) -> None:
    vars(maintenance)["blobs"] = Unavailable(codes.STORAGE_UNAVAILABLE)

    answer = client.post(f"{FULL}?confirm=yes")

    assert answer.status == 503
    assert artifacts(owner) == {"blob": "live", "item": "live", "table": "live"}


def test_a_database_that_lost_its_schemas_is_made_whole(
    client: Client, published: str, owner: psycopg.Connection[DictRow]
) -> None:
    owner.execute("DROP SCHEMA app CASCADE; DROP SCHEMA pgstac CASCADE")

    answer = client.post(f"{FULL}?confirm=yes")

    assert (answer.status, answer.json["archive"]) == (200, None)
    assert client.post(SUBMIT, {"n": 1}).status == 202


def test_an_app_that_may_not_says_so(client: Client) -> None:
    answer = client.post(f"{FULL}?confirm=yes")

    assert (answer.status, answer.json["code"]) == (409, "maintenance.not_configured")


def test_old_rows_go_when_it_is_confirmed(
    client: Client, published: str, owner: psycopg.Connection[DictRow]
) -> None:
    owner.execute(
        "UPDATE app.jobs SET completed_at = now() - interval '40 days' WHERE job_id = %s", [published]
    )

    asked = client.post(f"{CLEANUP}?days=30")
    kept = client.get(f"/api/jobs/{published}/tasks").json["items"]
    done = client.post(f"{CLEANUP}?days=30&confirm=yes", headers={"X-Terrane-Actor": "ada"})

    assert (asked.status, asked.json["details"]) == (400, {"revisions": 1, "days": 30})
    assert len(kept) == 4
    assert (done.status, done.json["status"]) == (200, "completed")
    assert done.json["removed"] > 4
    assert client.get(f"/api/jobs/{published}/tasks").json["items"] == []
    assert client.get(f"/api/jobs/{published}").json["status"] == "completed"
    assert owner.execute("SELECT triggered_by FROM app.janitor_runs").fetchall() == [{"triggered_by": "ada"}]
    assert owner.execute("SELECT count(*) AS n FROM app.tasks").fetchone() != {"n": 0}
