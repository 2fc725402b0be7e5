"""Every pair of states, against the tables, the rows in memory and the trigger on the tables in SQL."""

from datetime import UTC, datetime
from enum import StrEnum
from itertools import product

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import DictRow

from core.declaration import Stage
from core.errors import IllegalTransition
from core.states import (
    ENDED_JOB,
    ENDED_STAGE,
    ENDED_TASK,
    JOB_TRANSITIONS,
    STAGE_TRANSITIONS,
    TASK_TRANSITIONS,
    JobStatus,
    StageStatus,
    TaskStatus,
)
from infrastructure.memory.jobs import InMemoryJobRepository
from infrastructure.memory.state import EngineState
from tests.factories.clock import ManualClock
from tests.factories.engine import id_of, new_job

# As the rules of the engine have them, written out: what is not here is refused.
LEGAL_JOB = """
queued > processing, failed, cancelled
processing > completed, completed_with_errors, failed, cancelled
completed > queued
completed_with_errors > queued
failed > queued
cancelled > queued
"""
LEGAL_STAGE = """
pending > planning, cancelled
planning > processing, completed, failed, cancelled
processing > completed, failed, cancelled
"""
LEGAL_TASK = """
queued > processing, failed, cancelled
processing > completed, failed, cancelled, queued
"""

Pair = tuple[StrEnum, StrEnum]
JOB_PAIRS: list[Pair] = list(product(JobStatus, JobStatus))
STAGE_PAIRS: list[Pair] = list(product(StageStatus, StageStatus))
TASK_PAIRS: list[Pair] = list(product(TaskStatus, TaskStatus))
ALL_PAIRS = [
    *(("jobs", *pair) for pair in JOB_PAIRS),
    *(("stages", *pair) for pair in STAGE_PAIRS),
    *(("tasks", *pair) for pair in TASK_PAIRS),
]


def _legal(text: str) -> set[tuple[str, str]]:
    lines = [line.split(" > ") for line in text.strip().splitlines()]
    return {(before, after) for before, afters in lines for after in afters.split(", ")}


LEGAL = {"jobs": _legal(LEGAL_JOB), "stages": _legal(LEGAL_STAGE), "tasks": _legal(LEGAL_TASK)}


@pytest.mark.parametrize(
    ("table", "transitions", "states"),
    [
        ("jobs", JOB_TRANSITIONS, JobStatus),
        ("stages", STAGE_TRANSITIONS, StageStatus),
        ("tasks", TASK_TRANSITIONS, TaskStatus),
    ],
)
def test_the_tables_hold_what_the_rules_say(
    table: str, transitions: dict[StrEnum, frozenset[StrEnum]], states: type[StrEnum]
) -> None:
    assert set(transitions) == set(states)
    assert {(str(b), str(a)) for b, afters in transitions.items() for a in afters} == LEGAL[table]


@pytest.mark.parametrize(("table", "before", "after"), ALL_PAIRS)
def test_rows_in_memory_take_legal_steps_only(table: str, before: StrEnum, after: StrEnum) -> None:
    state = EngineState(ManualClock())
    InMemoryJobRepository(state).submit(new_job())
    job = state.jobs[id_of("a")]
    [stage] = state.stages[id_of("a"), 1]
    [task] = state.tasks.values()
    row, move = {
        "jobs": (job, state.move_job),
        "stages": (stage, state.move_stage),
        "tasks": (task, state.move_task),
    }[table]
    row.status = before

    if (before, after) in LEGAL[table]:
        move(row, after)
        assert row.status is after
    else:
        with pytest.raises(IllegalTransition, match=f"{before} to {after}"):
            move(row, after)
        assert row.status is before


@pytest.mark.parametrize(("table", "before", "after"), [pair for pair in ALL_PAIRS if pair[1] != pair[2]])
def test_rows_in_postgresql_take_legal_steps_only(
    superuser: psycopg.Connection[DictRow], table: str, before: StrEnum, after: StrEnum
) -> None:
    _insert(superuser, table, before)
    again = ", revision = revision + 1" if table == "jobs" and after is JobStatus.QUEUED else ""
    columns = {"status": str(after), **_columns(table, after)}
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns
    )
    update = sql.SQL("UPDATE app.{} SET {}{}").format(sql.Identifier(table), assignments, sql.SQL(again))

    if (before, after) in LEGAL[table]:
        assert superuser.execute(update, columns).rowcount == 1
    else:
        with pytest.raises(psycopg.errors.RaiseException, match=f"illegal: {table} from {before} to {after}"):
            superuser.execute(update, columns)


def test_a_job_begins_again_as_the_next_revision_only(superuser: psycopg.Connection[DictRow]) -> None:
    _insert(superuser, "jobs", JobStatus.FAILED)

    with pytest.raises(psycopg.errors.RaiseException, match="illegal: job begins again as revision 1"):
        superuser.execute("UPDATE app.jobs SET status = 'queued', completed_at = NULL")


def _columns(table: str, status: StrEnum) -> dict[str, object]:
    """Return what a row must have beside its status to satisfy its own laws."""
    now = datetime.now(UTC)
    ended = status in ENDED_JOB | ENDED_STAGE | ENDED_TASK
    columns: dict[str, object] = {"completed_at": now if ended else None}
    if table == "tasks":
        held = status is TaskStatus.PROCESSING
        columns |= {"lease_until": now if held else None, "worker": "w" if held else None}
    return columns


def _insert(connection: psycopg.Connection[DictRow], table: str, status: StrEnum) -> None:
    """Insert a job with one stage and one task, the one in question in this state."""
    stage = Stage("only", "work_type")
    shared = {"job_id": id_of("a"), "revision": 1}
    _insert_row(
        connection,
        "jobs",
        status if table == "jobs" else JobStatus.QUEUED,
        shared
        | {"job_type": "t", "priority": 5, "identity": "for_ever", "row_version": 1}
        | {"parameters": "{}", "total_stages": 1, "requested_by": "tester"},
    )
    _insert_row(
        connection,
        "stages",
        status if table == "stages" else StageStatus.PENDING,
        shared
        | {"number": 1, "name": stage.name, "task_type": stage.task_type}
        | {"parallelism": str(stage.parallelism), "on_task_failure": stage.on_task_failure},
    )
    _insert_row(
        connection,
        "tasks",
        status if table == "tasks" else TaskStatus.QUEUED,
        shared
        | {"task_id": "t", "stage": 1, "kind": "plan", "key": "plan", "task_type": "plan", "lane": "light"}
        | {"rank": 4, "deadline": datetime.now(UTC), "row_version": 1, "max_attempts": 1},
    )


def _insert_row(
    connection: psycopg.Connection[DictRow], table: str, status: StrEnum, values: dict[str, object]
) -> None:
    row = values | {"status": str(status)} | _columns(table, status)
    statement = sql.SQL("INSERT INTO app.{} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
    connection.execute(statement, row)
