"""Tables that loads fill aside go when nobody owns them, and no other table does."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import DictRow

from core.ports.effects import Artifact
from infrastructure.database import Database
from infrastructure.scratch_tables import PostgresScratchTables
from tests.factories.engine import EngineStore, id_of
from tests.fixtures.postgres import PostgresServer

HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)


@pytest.fixture
def store(postgres_store: EngineStore) -> EngineStore:
    return postgres_store


@pytest.fixture
def owned_database(postgres_server: PostgresServer, lawful_database: str) -> Iterator[Database]:
    with closing(Database(postgres_server.settings(lawful_database), lambda: None, "scratch")) as database:
        yield database


def make(database: Database, name: str) -> str:
    with database.transaction() as connection:
        statement = sql.SQL("CREATE TABLE {} (id bigint)")
        connection.execute(statement.format(sql.Identifier("vector_staging", name)))
    return f"vector_staging.{name}"


def tables(superuser: psycopg.Connection[DictRow]) -> list[str]:
    rows = superuser.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'vector_staging' ORDER BY 1")
    return [row["tablename"] for row in rows]


def test_only_a_table_of_closed_artifacts_that_are_old_goes(
    store: EngineStore, owned_database: Database, superuser: psycopg.Connection[DictRow]
) -> None:
    [task] = store.start()
    for name in ("closed", "writing", "fresh"):
        location = make(owned_database, name)
        store.effects.begin_artifact(task, Artifact("table", location, "intermediate"))
    make(owned_database, "of_somebody_else")
    store.wreckage.change_artifact("vector_staging.closed", state="deleted")
    store.advance(DAY + HOUR)
    store.wreckage.change_artifact(
        "vector_staging.fresh", state="released", updated_at=store.job().updated_at + DAY
    )
    scratch = PostgresScratchTables(owned_database)

    dropped = scratch.drop_forsaken(DAY, 100)
    again = scratch.drop_forsaken(DAY, 100)
    left = tables(superuser)
    for name in left:
        superuser.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("vector_staging", name)))

    assert (dropped, again) == (["vector_staging.closed"], [])
    assert left == ["fresh", "of_somebody_else", "writing"]


def test_a_table_left_in_writing_by_an_ended_job_is_cleaned_up_by_a_task(
    store: EngineStore, owned_database: Database
) -> None:
    [task] = store.start()
    location = "vector_staging.left"
    store.effects.begin_artifact(task, Artifact("table", location, "intermediate"))
    store.wreckage.change_job(id_of("a"), status="failed", completed_at=store.job().updated_at)
    store.advance(DAY + HOUR)

    retried = store.mending.retry_cleanups(timedelta(minutes=1), DAY, 10)

    assert retried.job_ids == [id_of("a")]
