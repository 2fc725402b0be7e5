"""Breaking rows as no call of the engine does, in either store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import psycopg
from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from core.states import JobStatus, StageStatus, TaskStatus
from infrastructure.memory.state import EngineState


class Wreckage(Protocol):
    """Rows by hand: no transition is checked, no constraint between rows holds."""

    def change_job(self, job_id: str, **columns: Any) -> None: ...

    def change_stage(self, job_id: str, number: int, **columns: Any) -> None: ...

    def change_slot(self, job_id: str, stage: int, slot: int, **columns: Any) -> None: ...

    def change_task(self, task_id: str, **columns: Any) -> None: ...

    def change_artifact(self, location: str, **columns: Any) -> None: ...

    def lose_task(self, task_id: str) -> None: ...

    def lose_stages(self, job_id: str) -> None: ...

    def lose_job(self, job_id: str) -> None: ...

    def slots(self, job_id: str, stage: int) -> list[Mapping[str, int]]:
        """Return a stage's ledger of the first revision by slot, its empty slots left out."""
        ...

    def open_slots(self, job_id: str, stage: int) -> int: ...

    def artifact_state(self, location: str) -> str: ...

    def miss_sweeps(self, since: timedelta) -> None:
        """Make the janitor's runs missed for so long."""
        ...


_COUNTS = ("open", "completed", "failed", "cancelled")


@dataclass(frozen=True)
class SqlWreckage:
    """A superuser for whom no trigger fires."""

    connection: psycopg.Connection[DictRow]

    def change_job(self, job_id: str, **columns: Any) -> None:
        self._update("jobs", columns, job_id=job_id)

    def change_stage(self, job_id: str, number: int, **columns: Any) -> None:
        self._update("stages", columns, job_id=job_id, number=number)

    def change_slot(self, job_id: str, stage: int, slot: int, **columns: Any) -> None:
        self._update("stage_slots", columns, job_id=job_id, stage=stage, slot=slot)

    def change_task(self, task_id: str, **columns: Any) -> None:
        self._update("tasks", columns, task_id=task_id)

    def change_artifact(self, location: str, **columns: Any) -> None:
        self._update("artifacts", columns, location=location)

    def lose_task(self, task_id: str) -> None:
        self._delete("tasks", task_id=task_id)

    def lose_stages(self, job_id: str) -> None:
        self._delete("stage_slots", job_id=job_id)
        self._delete("stages", job_id=job_id)

    def lose_job(self, job_id: str) -> None:
        self._delete("jobs", job_id=job_id)

    def slots(self, job_id: str, stage: int) -> list[Mapping[str, int]]:
        rows = self.connection.execute(
            "SELECT open, completed, failed, cancelled FROM app.stage_slots"
            " WHERE job_id = %s AND stage = %s AND revision = 1 ORDER BY slot",
            [job_id, stage],
        ).fetchall()
        return [row for row in rows if any(row.values())]

    def open_slots(self, job_id: str, stage: int) -> int:
        row = self.connection.execute(
            "SELECT open_slots FROM app.stages WHERE job_id = %s AND number = %s AND revision = 1",
            [job_id, stage],
        ).fetchone()
        assert row is not None
        return int(row["open_slots"])

    def artifact_state(self, location: str) -> str:
        row = self.connection.execute(
            "SELECT state FROM app.artifacts WHERE location = %s ORDER BY artifact_id DESC", [location]
        ).fetchone()
        assert row is not None
        return str(row["state"])

    def miss_sweeps(self, since: timedelta) -> None:
        self.connection.execute("UPDATE app.sweeps SET since = now() - %s", [since])
        self.connection.execute("UPDATE app.janitor_runs SET started_at = started_at - %s", [since])

    def _update(self, table: str, columns: Mapping[str, Any], **where: Any) -> None:
        values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in columns.items()}
        statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(
            sql.Identifier("app", table), _equations(values, ", "), _equations(where, " AND ")
        )
        self._by_hand(statement, values | {f"where_{name}": value for name, value in where.items()})

    def _delete(self, table: str, **where: Any) -> None:
        statement = sql.SQL("DELETE FROM {} WHERE {}").format(
            sql.Identifier("app", table), _equations(where, " AND ")
        )
        self._by_hand(statement, {f"where_{name}": value for name, value in where.items()})

    def _by_hand(self, statement: sql.Composed, parameters: Mapping[str, Any]) -> None:
        with self.connection.transaction():
            self.connection.execute("SET LOCAL session_replication_role = replica")
            self.connection.execute(statement, parameters)


def _equations(names: Mapping[str, Any], between: str) -> sql.Composed:
    prefix = "where_" if between == " AND " else ""
    return sql.SQL(between).join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(prefix + name)) for name in names
    )


@dataclass(frozen=True)
class MemoryWreckage:
    """The rows in memory, without the state's methods."""

    state: EngineState

    def change_job(self, job_id: str, **columns: Any) -> None:
        _assign(self.state.jobs[job_id], JobStatus, columns)

    def change_stage(self, job_id: str, number: int, **columns: Any) -> None:
        for (owner, _), stages in self.state.stages.items():
            if owner == job_id:
                _assign(stages[number - 1], StageStatus, columns)

    def change_slot(self, job_id: str, stage: int, slot: int, **columns: Any) -> None:
        _assign(self.state.stages[job_id, 1][stage - 1].slots[slot], str, columns)

    def change_task(self, task_id: str, **columns: Any) -> None:
        task = self.state.tasks[task_id]
        _assign(task, TaskStatus, columns)
        self.state.leased.discard(task_id)
        self.state.queued[task.lane].discard(task_id)
        if task.status is TaskStatus.QUEUED:
            self.state.queued[task.lane].add(task_id)
        elif task.status is TaskStatus.PROCESSING:
            self.state.leased.add(task_id)

    def change_artifact(self, location: str, **columns: Any) -> None:
        for row in self.state.artifacts:
            if row.location == location:
                _assign(row, str, columns)

    def lose_task(self, task_id: str) -> None:
        self.state.remove_tasks([self.state.tasks[task_id]])

    def lose_stages(self, job_id: str) -> None:
        for key in [key for key in self.state.stages if key[0] == job_id]:
            del self.state.stages[key]

    def lose_job(self, job_id: str) -> None:
        del self.state.jobs[job_id]

    def slots(self, job_id: str, stage: int) -> list[Mapping[str, int]]:
        slots = self.state.stages[job_id, 1][stage - 1].slots
        rows = [{name: getattr(slot, name) for name in _COUNTS} for slot in slots]
        return [row for row in rows if any(row.values())]

    def open_slots(self, job_id: str, stage: int) -> int:
        return self.state.stages[job_id, 1][stage - 1].open_slots

    def artifact_state(self, location: str) -> str:
        return [row.state for row in self.state.artifacts if row.location == location][-1]

    def miss_sweeps(self, since: timedelta) -> None:
        self.state.janitor.since = self.state.clock.now() - since


def _assign(row: Any, status: type, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, status(value) if name == "status" else value)
