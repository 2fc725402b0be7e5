"""Every batch locks its tasks in order of key; a batch that does not is found.

The stores in memory have no row locks, so this rule is shown on PostgreSQL: while somebody holds the
first task of a batch, the batch must wait for it and hold none of the others.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest
from psycopg.rows import DictRow

from core.models.claims import ClaimedTask, ClaimRequest
from core.states import Outcome
from tests.factories.engine import LEASE, end_of, keys, new_job, planned
from tests.fixtures.postgres import PostgresServer
from tests.simulation.postgres import VirtualPostgres, virtual_postgres

_IN_ORDER = "ORDER BY t.task_id FOR UPDATE"
_WAITING = "SELECT count(*) AS waiting FROM pg_locks WHERE NOT granted"
_FUNCTION = "SELECT pg_get_functiondef('app.classify_ends_v1'::regproc) AS text"


@pytest.fixture(scope="module")
def postgres(postgres_server: PostgresServer) -> Iterator[VirtualPostgres]:
    with virtual_postgres(postgres_server) as found:
        yield found


@pytest.fixture
def batch(postgres: VirtualPostgres) -> list[ClaimedTask]:
    """Claim three tasks; return them in order of key."""
    postgres.empty()
    tasks = postgres.ports["tasks"]
    postgres.ports["jobs"].submit(new_job())
    [plan] = tasks.claim(ClaimRequest("light", 1, "worker", "plan", LEASE))
    tasks.end_plan(plan, planned(plan, keys(3)), 1)
    claimed: list[ClaimedTask] = tasks.claim(ClaimRequest("light", 3, "worker", "batch", LEASE))
    return sorted(claimed, key=lambda task: task.task_id)


@contextmanager
def reversed_order(postgres: VirtualPostgres) -> Iterator[None]:
    """Let batches lock their tasks from the last to the first."""
    [row] = postgres.superuser.execute(_FUNCTION).fetchall()
    assert _IN_ORDER in row["text"]
    postgres.superuser.execute(row["text"].replace(_IN_ORDER, "ORDER BY t.task_id DESC FOR UPDATE"))
    try:
        yield
    finally:
        postgres.superuser.execute(row["text"])


def holds_others_while_it_waits(
    server: PostgresServer, postgres: VirtualPostgres, batch: list[ClaimedTask]
) -> bool:
    """Return whether a batch that waits for its first task has locked another one."""
    name = postgres.superuser.info.dbname
    with (
        closing(server.connect(name)) as holder,
        closing(server.connect(name)) as other,
        ThreadPoolExecutor(1) as threads,
    ):
        with holder.transaction():
            lock(holder, batch[0])
            ending = threads.submit(
                postgres.ports["tasks"].end, [end_of(task, Outcome.COMPLETED) for task in batch]
            )
            while not other.execute(_WAITING).fetchone()["waiting"]:  # type: ignore[index]
                assert not ending.done()
            held = any(not is_free(other, task) for task in batch[1:])
        assert {answer.answer for answer in ending.result(30).answers} == {"ended"}
    return held


def lock(connection: psycopg.Connection[DictRow], task: ClaimedTask, how: str = "") -> None:
    connection.execute(f"SELECT FROM app.tasks WHERE task_id = %s FOR UPDATE {how}", [task.task_id])


def is_free(connection: psycopg.Connection[DictRow], task: ClaimedTask) -> bool:
    try:
        lock(connection, task, "NOWAIT")
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def test_a_batch_locks_its_tasks_in_order_of_key(
    postgres_server: PostgresServer, postgres: VirtualPostgres, batch: list[ClaimedTask]
) -> None:
    assert not holds_others_while_it_waits(postgres_server, postgres, batch)


def test_a_reversed_order_is_found(
    postgres_server: PostgresServer, postgres: VirtualPostgres, batch: list[ClaimedTask]
) -> None:
    with reversed_order(postgres):
        assert holds_others_while_it_waits(postgres_server, postgres, batch)
