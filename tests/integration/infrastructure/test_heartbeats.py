"""Heartbeats beside the database: while it is busy, and while it is gone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from psycopg.rows import DictRow

from core.heart import Heart, HeartThread
from core.states import TaskStatus
from infrastructure.clock import SystemClock
from tests.factories.engine import EngineStore
from tests.fixtures.processes import wait_until

LEASE = timedelta(seconds=1)
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


def test_the_lease_is_renewed_while_the_worker_waits_for_a_long_statement(
    store: EngineStore, superuser: psycopg.Connection[DictRow]
) -> None:
    store.submit()
    [task] = store.claim(lease=LEASE)
    heart = Heart(store.tasks, LEASE)
    heart.hold(task)

    with beating(heart):
        superuser.execute("SELECT pg_sleep(2.5)")
        rescued = store.tasks.rescue(10)

    assert rescued.answers == ()
    assert store.task(task).status is TaskStatus.PROCESSING


def test_the_lease_is_renewed_while_the_worker_holds_locks_of_other_tables(
    store: EngineStore, superuser: psycopg.Connection[DictRow]
) -> None:
    store.submit()
    [task] = store.claim(lease=LEASE)
    heart = Heart(store.tasks, LEASE)
    heart.hold(task)

    with beating(heart), store.effects.transaction(task):
        superuser.execute("SELECT pg_sleep(2.5)")
        rescued = store.tasks.rescue(10)

    assert rescued.answers == ()


def test_a_heart_whose_connection_was_cut_beats_again(
    store: EngineStore, superuser: psycopg.Connection[DictRow]
) -> None:
    store.submit()
    [task] = store.claim(lease=timedelta(minutes=1))
    heart = Heart(store.tasks, timedelta(minutes=1))
    heart.hold(task)
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
