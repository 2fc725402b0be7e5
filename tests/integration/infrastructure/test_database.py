"""The pool: what its errors say, and that work goes on when the server is back."""

import threading
from contextlib import closing

import psycopg
import pytest

from config.settings import DatabaseSettings
from core import codes
from core.errors import TransientError
from infrastructure.database import Database
from tests.fixtures.postgres import PostgresServer


def _told(settings: DatabaseSettings, **changes: object) -> str:
    """Return what a query says that finds no server with these settings."""
    changed = settings.model_copy(update={"connect_timeout_seconds": 1, **changes})
    with closing(Database(changed, lambda: None, "terrane tests")) as database:
        with pytest.raises(TransientError) as caught:
            database.fetch_all("SELECT 1")
        assert caught.value.code is codes.DATABASE_UNAVAILABLE
        return caught.value.message


def test_a_server_that_does_not_listen_is_named_with_the_operation_and_the_cause(
    database_settings: DatabaseSettings,
) -> None:
    message = _told(database_settings, port=1)

    assert message.startswith("127.0.0.1:1: query: ")
    assert "Connection refused" in message


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"user": "nobody_here"}, 'role "nobody_here" does not exist'),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"host": "nowhere.invalid"}, "failed to resolve host"),
    ],
)
def test_what_the_server_refuses_is_told_as_it_says(
    database_settings: DatabaseSettings, changes: dict[str, str], cause: str
) -> None:
    assert cause in _told(database_settings, **changes)


def test_a_missing_token_is_told_once(database_settings: DatabaseSettings) -> None:
    def no_token() -> str:
        host = f"{database_settings.host}:{database_settings.port}"
        raise TransientError(codes.DATABASE_UNAVAILABLE, f"{host}: connect: no Entra ID token (Error)")

    settings = database_settings.model_copy(update={"connect_timeout_seconds": 1})
    pool = Database(settings, no_token, "terrane tests")
    with closing(pool) as database, pytest.raises(TransientError) as caught:
        database.fetch_all("SELECT 1")

    assert caught.value.message.endswith(": query: connect: no Entra ID token (Error)")
    assert caught.value.message.count("127.0.0.1") == 1


def test_a_pool_that_is_at_work_is_no_server_that_is_gone(database_settings: DatabaseSettings) -> None:
    settings = database_settings.model_copy(update={"connect_timeout_seconds": 1, "pool_size": 1})
    pool = Database(settings, lambda: None, "terrane tests")
    with closing(pool) as database, database.connection(), pytest.raises(TransientError) as caught:
        database.fetch_all("SELECT 1")

    assert caught.value.message.endswith("query: all 1 connections of this process are at work")


def test_a_query_survives_the_death_of_every_pooled_connection(
    database: Database, postgres_server: PostgresServer, database_settings: DatabaseSettings
) -> None:
    _fill(database, database_settings.pool_size)
    with closing(postgres_server.connect()) as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [database_settings.database],
        )

    assert database.fetch_one("SELECT 1 AS one") == {"one": 1}


def test_work_goes_on_after_the_server_was_restarted(
    database: Database, postgres_server: PostgresServer
) -> None:
    database.fetch_all("SELECT 1")
    postgres_server.stop()
    postgres_server.start()

    assert database.fetch_one("SELECT 1 AS one") == {"one": 1}


def test_a_role_without_the_right_is_told_what_it_may_not(database: Database) -> None:
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:\d+: query: permission denied"):
        database.fetch_all("SELECT rolpassword FROM pg_authid")


@pytest.mark.parametrize("pool_size", [1, 2, 4])
def test_what_the_database_wants_once_more_is_tried_a_few_times(
    database_settings: DatabaseSettings, pool_size: int
) -> None:
    settings = database_settings.model_copy(update={"pool_size": pool_size})
    always = "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure'; END $$"
    pool = Database(settings, lambda: None, "terrane tests")
    with closing(pool) as database, pytest.raises(TransientError, match=": query: again"):
        database.fetch_all(always)


def test_an_error_of_the_statement_is_left_as_it_is(database: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        database.fetch_all("SELECT 1 / 0")


def _fill(database: Database, size: int) -> None:
    """Make the pool open every connection that it may."""
    together = threading.Barrier(size, timeout=30)

    def use() -> None:
        with database.connection() as connection:
            connection.execute("SELECT 1")
            together.wait()

    threads = [threading.Thread(target=use) for _ in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
