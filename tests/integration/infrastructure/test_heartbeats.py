"""Heartbeats beside the database: while it is busy, and while it is gone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import psycopg
import pytest
from psycopg.rows import DictRow

from core.heart import Heart, HeartThread
from core.models.claims import ClaimedTask
from core.states import TaskStatus
from infrastructure.clock import SystemClock
from tests.factories.engine import EngineStore
from tests.fixtures.processes import wait_until

LEASE = timedelta(minutes=1)
INTERVAL = timedelta(milliseconds=100)


@pytest.fixture
def store(postgres_store: EngineStore) -> EngineStore:
    return postgres_store


@contextmanager
def beating(heart: Heart) -> Iterator[None]:
    thread = HeartThread(heart, INTERVAL, SystemClock())
    thread.start()
    try:
        yield
    finally:
        thread.stop()


def wait_in_the_database(superuser: psycopg.Connection[DictRow]) -> datetime:
    """Let one statement take a while, and return when it began."""
    row = superuser.execute("SELECT clock_timestamp() AS began, pg_sleep(1.5)").fetchone()
    assert row is not None
    began: datetime = row["began"]
    return began


def hold(store: EngineStore) -> tuple[Heart, ClaimedTask]:
    store.submit()
    [task] = store.claim(lease=LEASE)
    heart = Heart(store.tasks, LEASE)
    heart.hold(task)
    return heart, task


def test_the_lease_is_renewed_while_the_worker_waits_for_a_long_statement(
    store: EngineStore, superuser: psycopg.Connection[DictRow]
) -> None:
    heart, task = hold(store)

    with beating(heart):
        began = wait_in_the_database(superuser)

    assert_renewed(store, task, began)


def test_the_lease_is_renewed_while_the_worker_has_a_transaction_open(
    store: EngineStore, superuser: psycopg.Connection[DictRow]
) -> None:
    heart, task = hold(store)

    with beating(heart), store.effects.transaction(task):
        began = wait_in_the_database(superuser)

    assert_renewed(store, task, began)


def assert_renewed(store: EngineStore, task: ClaimedTask, after: datetime) -> None:
    record = store.task(task)
    assert record.heartbeat_at is not None
    assert record.lease_until is not None
    assert record.heartbeat_at > after
    assert record.lease_until == record.heartbeat_at + LEASE


def test_a_heart_whose_connection_was_cut_beats_again(
    store: EngineStore, superuser: psycopg.Connection[DictRow]
) -> None:
    heart, task = hold(store)
    before = store.task(task).heartbeat_at

    def has_beaten() -> bool:
        return store.task(task).heartbeat_at != before

    with beating(heart):
        wait_until(has_beaten, 10)
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%app.beat_v1%'"
            " AND pid <> pg_backend_pid()"
        )
        before = store.task(task).heartbeat_at
        wait_until(has_beaten, 10)

    assert store.task(task).status is TaskStatus.PROCESSING
