from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from psycopg.rows import DictRow

from config.settings import DatabaseSettings
from tests.factories.memory_app import Client, MemoryApp
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.processes import wait_until

SUBMIT = "/api/jobs/submit/hello_world"


@pytest.fixture
def owner(
    postgres_server: PostgresServer, database_settings: DatabaseSettings
) -> Iterator[psycopg.Connection[DictRow]]:
    with closing(postgres_server.connect(database_settings.database)) as connection:
        yield connection


@pytest.fixture
def other(
    postgres_server: PostgresServer, database_settings: DatabaseSettings
) -> Iterator[psycopg.Connection[DictRow]]:
    with closing(postgres_server.connect(database_settings.database)) as connection:
        yield connection


def test_a_running_statement_is_shown_without_its_values(
    client: Client, owner: psycopg.Connection[DictRow]
) -> None:
    def is_shown() -> bool:
        items = client.get("/api/dbadmin/queries/running").json["items"]
        return any("pg_sleep(?), ?" in item["query"] for item in items)

    with ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(owner.execute, "SELECT pg_sleep(30), 'hunter2'")
        wait_until(is_shown, 20)
        answer = client.get("/api/dbadmin/queries/running")
        owner.cancel()
        with pytest.raises(psycopg.errors.QueryCanceled):
            sleeping.result()

    assert b"hunter2" not in answer.body


def test_who_waits_for_whom_is_told(
    client: Client, owner: psycopg.Connection[DictRow], other: psycopg.Connection[DictRow]
) -> None:
    owner.execute("CREATE TABLE geo.locked (id integer)")

    def waits() -> bool:
        return bool(client.get("/api/dbadmin/locks").json["items"])

    with ThreadPoolExecutor(1) as pool, owner.transaction():
        owner.execute("LOCK TABLE geo.locked IN ACCESS EXCLUSIVE MODE")
        waiting = pool.submit(other.execute, "SELECT id FROM geo.locked WHERE id = 7")
        wait_until(waits, 20)
        [lock] = client.get("/api/dbadmin/locks").json["items"]
        owner.execute("SELECT 1")
        other.cancel()
        with pytest.raises(psycopg.errors.QueryCanceled):
            waiting.result()

    assert (lock["pid"], lock["holder_pid"]) == (other.info.backend_pid, owner.info.backend_pid)
    assert (lock["relation"], lock["query"]) == ("geo.locked", "SELECT id FROM geo.locked WHERE id = ?")


def test_slow_queries_explain_what_is_missing(client: Client) -> None:
    answer = client.get("/api/dbadmin/queries/slow").json

    assert (answer["available"], answer["items"]) == (False, [])
    assert "CREATE EXTENSION pg_stat_statements" in answer["explanation"]


def test_slow_queries_are_listed_where_somebody_counts(
    client: Client, owner: psycopg.Connection[DictRow]
) -> None:
    owner.execute("CREATE EXTENSION pg_stat_statements")
    owner.execute("SELECT count(*) AS looked_for FROM pg_class WHERE relname = 'hunter2'")

    answer = client.get("/api/dbadmin/queries/slow?limit=500")

    assert answer.json["available"]
    assert any("looked_for" in item["query"] for item in answer.json["items"])
    assert b"hunter2" not in answer.body


def test_connections_are_summed_up(client: Client, owner: psycopg.Connection[DictRow]) -> None:
    answer = client.get("/api/dbadmin/connections?limit=500").json

    assert sum(item["connections"] for item in answer["items"]) >= 2
    assert 2 <= answer["used"] <= answer["most"] == 200
    assert any(item["application"] == "terrane tests" for item in answer["items"])


def test_a_database_is_judged_with_its_reasons(client: Client) -> None:
    health = client.get("/api/dbadmin/health").json

    assert health["version"][0].isdigit()
    assert (health["status"] == "healthy") == (health["reasons"] == [])


def test_stats_count_jobs_and_live_tasks(client: Client, terrane: MemoryApp) -> None:
    client.post(SUBMIT, {"n": 2})
    terrane.work()
    client.post(SUBMIT, {"n": 3, "message": "waits"})

    stats = client.get("/api/dbadmin/stats").json

    assert {(row["status"], row["jobs"]) for row in stats["jobs"]} == {("completed", 1), ("queued", 1)}
    assert {row["lane"]: row["runnable"] for row in stats["lanes"]} == {"light": 1, "heavy": 0}


def test_tasks_of_all_jobs_are_listed_page_by_page(client: Client, terrane: MemoryApp) -> None:
    for number in range(2):
        client.post(SUBMIT, {"n": 2, "message": str(number)})
    terrane.work()

    whole = client.get("/api/dbadmin/tasks").json["items"]
    collected: list[str] = []
    address = "/api/dbadmin/tasks?limit=3"
    while address:
        answer = client.get(address).json
        collected += [task["task_id"] for task in answer["items"]]
        address = answer["next"]

    # For each job two plans, two greetings and two replies.
    assert len(whole) == 12
    assert collected == [task["task_id"] for task in whole]
    assert {task["kind"] for task in whole} == {"plan", "work"}


def test_tasks_are_filtered(client: Client, terrane: MemoryApp) -> None:
    client.post(SUBMIT, {"n": 2})

    assert len(client.get("/api/dbadmin/tasks?status=queued&lane=light").json["items"]) == 1
    assert client.get("/api/dbadmin/tasks?status=failed").json["items"] == []
    assert client.get("/api/dbadmin/tasks?lane=heavy").json["items"] == []


def test_everything_is_told_at_once(client: Client, terrane: MemoryApp) -> None:
    client.post("/api/dbadmin/maintenance/pause?reason=look")

    told = client.get("/api/dbadmin/diagnostics/all").json

    assert (told["pause"]["reason"], told["violations"], told["migrations"]["pending"]) == ("look", [], [])
    assert told["migrations"]["applied"][0]["name"] == "0001_tables.sql"
    assert told["catalogue_version"]
