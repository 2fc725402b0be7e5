"""Tasks in PostgreSQL: claims, ends, plans, lanes."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from core.declaration import ROW_VERSION, TaskResult
from core.json import dumps
from core.models.claims import Beat, BeatAnswer, ClaimedTask, ClaimRequest, Ended, TaskEnd
from core.models.records import TaskRecord
from core.ports.engine import FenceLost, JobStopping, PauseState, PlannedTask, TaskFilter
from infrastructure import rows
from infrastructure.database import Connection, Database
from infrastructure.sql import load

_QUERIES = load("tasks")
_HOLD_FENCE = load("artifacts")["hold_fence"]
_FENCE_LOST = "TR001"
_JOB_STOPPING = "TR002"
_BEGINNING = (0, datetime.min.replace(tzinfo=UTC))
_BEAT_TIMEOUT = timedelta(seconds=3)
_PLAN_TIMEOUT = timedelta(minutes=5)


def end_parameters(ends: Sequence[TaskEnd], max_rescues: int) -> dict[str, Any]:
    """Return what the statement ``end`` takes."""
    return {
        "ids": [end.task_id for end in ends],
        "fences": [end.fence for end in ends],
        "outcomes": [end.outcome.value for end in ends],
        # As texts: psycopg writes an array of wrapped objects one by one, several times slower.
        "results": [None if end.result is None else dumps(end.result) for end in ends],
        "errors": [None if end.error is None else dumps(end.error) for end in ends],
        "delays": [end.delay for end in ends],
        "max_rescues": max_rescues,
    }


class PostgresTaskRepository:
    """`core.ports.engine.TaskRepository` on the functions of the migrations.

    Args:
        database: The app database.
        max_rescues: Deaths of workers that a task survives.
    """

    def __init__(self, database: Database, max_rescues: int) -> None:
        self._database = database
        self._max_rescues = max_rescues
        self._beating: Connection | None = None

    def claim(self, request: ClaimRequest) -> Sequence[ClaimedTask]:
        """Take runnable tasks by one call."""
        rank, turn = request.start or _BEGINNING
        parameters = {
            "lane": request.lane,
            "limit": request.limit,
            "worker": request.worker,
            "claim_id": request.claim_id,
            "lease": request.lease,
            "rank": rank,
            "turn": turn,
        }
        found = self._database.fetch_all(_QUERIES["claim"], parameters, repeat=False)
        return [rows.claimed(row) for row in found]

    def claimed(self, request: ClaimRequest) -> Sequence[ClaimedTask]:
        """Return what an earlier call with this claim id took."""
        found = self._database.fetch_all(_QUERIES["claimed"], {"claim_id": request.claim_id})
        return [rows.claimed(row) for row in found]

    def end(self, ends: Sequence[TaskEnd]) -> Ended:
        """End claims by one call."""
        return rows.ended(self._database.fetch_one(_QUERIES["end"], end_parameters(ends, self._max_rescues)))

    def end_plan(self, plan: ClaimedTask, tasks: Iterable[PlannedTask], slots: int) -> Ended:
        """Copy a stage's tasks and end their plan task, in one transaction."""
        try:
            with self._database.transaction(timeout=_PLAN_TIMEOUT) as connection:
                total = _copy(connection, plan, tasks)
                row = connection.execute(
                    _QUERIES["end_plan"],
                    {"task_id": plan.task_id, "fence": plan.fence, "total": total, "slots": slots},
                ).fetchone()
        except psycopg.errors.UniqueViolation:
            # Another holder's plan stands there, unless this one names a key twice.
            self._hold_fence(plan)
            raise
        except psycopg.DatabaseError as error:
            _raise_meaning(error)
            raise
        return Ended(follow_ups=rows.follow_ups(row["follow_ups"]) if row else ())

    def _hold_fence(self, task: ClaimedTask) -> None:
        try:
            self._database.fetch_all(_HOLD_FENCE, {"task_id": task.task_id, "fence": task.fence})
        except psycopg.DatabaseError as error:
            _raise_meaning(error)
            raise

    def beat(self, beats: Sequence[Beat], lease: timedelta) -> Sequence[BeatAnswer]:
        """Renew leases on the connection that only heartbeats use."""
        parameters = {
            "ids": [beat.task_id for beat in beats],
            "fences": [beat.fence for beat in beats],
            "progress": [beat.progress for beat in beats],
            "messages": [beat.message for beat in beats],
            "lease": lease,
        }
        with self._database.translated("heartbeat"):
            try:
                if self._beating is None:
                    self._beating = self._database.dedicated(statement_timeout=_BEAT_TIMEOUT)
                found = self._beating.execute(_QUERIES["beat"], parameters).fetchall()
            except psycopg.OperationalError:
                self._drop_beating()
                raise
        return [rows.pick(BeatAnswer, row) for row in found]

    def close(self) -> None:
        """Close the connection that only heartbeats use."""
        self._drop_beating()

    def _drop_beating(self) -> None:
        if self._beating is not None:
            self._beating.close()
            self._beating = None

    def defer_rescue(self, by: timedelta) -> None:
        """Let nobody rescue for a while."""
        self._database.fetch_all(_QUERIES["defer_rescue"], {"by": by})

    def rescue(self, limit: int) -> Ended:
        """End claims whose leases have run out."""
        parameters = {"limit": limit, "max_rescues": self._max_rescues}
        return rows.ended(self._database.fetch_one(_QUERIES["rescue"], parameters))

    def expire(self, limit: int) -> Ended:
        """Fail queued tasks whose deadline has passed."""
        return rows.ended(self._database.fetch_one(_QUERIES["expire"], {"limit": limit}))

    def results(
        self, job_id: str, revision: int, stage: int, after_key: str, limit: int
    ) -> Sequence[TaskResult]:
        """Return results of a stage in order of key."""
        found = self._page("results", job_id, revision, stage, after_key=after_key, limit=limit)
        return [TaskResult(row["key"], row["result"] or {}) for row in found]

    def failures(
        self, job_id: str, revision: int, stage: int, after_key: str, limit: int
    ) -> Sequence[TaskRecord]:
        """Return failed tasks of a stage in order of key."""
        found = self._page("failures", job_id, revision, stage, after_key=after_key, limit=limit)
        return [rows.task(row) for row in found]

    def _page(self, query: str, job_id: str, revision: int, stage: int, **page: Any) -> list[dict[str, Any]]:
        parameters = {"job_id": job_id, "revision": revision, "stage": stage} | page
        return self._database.fetch_all(_QUERIES[query], parameters)

    def list_tasks(
        self, job_id: str, where: TaskFilter, limit: int, before: tuple[int, str] | None
    ) -> Sequence[TaskRecord]:
        """Return tasks of the present revision, last stage first."""
        stage, key = before or (None, None)
        parameters = {
            "job_id": job_id,
            "stage": where.stage,
            "status": where.status,
            "kind": where.kind,
            "with_parameters": "parameters" in where.include,
            "with_result": "result" in where.include,
            "before_stage": stage,
            "before_key": key,
            "limit": limit,
        }
        return [rows.task(row) for row in self._database.fetch_all(_QUERIES["list_tasks"], parameters)]

    def get(self, task_id: str) -> TaskRecord | None:
        """Return a task."""
        row = self._database.fetch_one(_QUERIES["get_task"], {"task_id": task_id})
        return rows.task(row) if row else None

    def schedule_bell(self, lane: str) -> timedelta | None:
        """Take the right to send the lane's scheduled bell."""
        row = self._database.fetch_one(_QUERIES["schedule_bell"], {"lane": lane})
        return row["delay"] if row else None

    def unschedule_bell(self, lane: str) -> None:
        """Give that right back."""
        self._database.fetch_all(_QUERIES["unschedule_bell"], {"lane": lane})

    def runnable(self, lane: str, limit: int) -> int:
        """Return how many tasks of a lane are runnable now, up to a limit."""
        row = self._database.fetch_one(_QUERIES["runnable"], {"lane": lane, "limit": limit})
        return int(row["runnable"]) if row else 0

    def silent_lanes(self) -> Sequence[str]:
        """Return lanes with runnable work that nobody takes."""
        return [row["lane"] for row in self._database.fetch_all(_QUERIES["silent_lanes"])]

    def pause(self, reason: str, by: str, until: datetime | None) -> None:
        """Let nothing be claimed."""
        self._database.fetch_all(_QUERIES["pause"], {"reason": reason, "by": by, "until": until})

    def resume(self) -> None:
        """Let tasks be claimed again."""
        self._database.fetch_all(_QUERIES["resume"])

    def pause_state(self) -> PauseState:
        """Return whether claiming is paused."""
        row = self._database.fetch_one(_QUERIES["pause_state"])
        if row is None or not row["paused"]:
            return PauseState(paused=False)
        return PauseState(True, row["paused_until"], row["pause_reason"], row["paused_by"])


def _raise_meaning(error: psycopg.DatabaseError) -> None:
    """Raise the error of the port that a function of the migrations means, if it means one."""
    if error.sqlstate == _FENCE_LOST:
        raise FenceLost(str(error)) from error
    if error.sqlstate == _JOB_STOPPING:
        raise JobStopping(str(error)) from error


def _copy(connection: Connection, plan: ClaimedTask, tasks: Iterable[PlannedTask]) -> int:
    clock = connection.execute(_QUERIES["plan_clock"], {"job_id": plan.job_id}).fetchone()
    if clock is None:
        raise FenceLost(plan.task_id)
    now, total = clock["now"], 0
    with connection.cursor() as cursor, cursor.copy(_QUERIES["copy_plan"]) as copy:
        for task in tasks:
            total += 1
            copy.write_row(
                (
                    task.task_id,
                    plan.job_id,
                    plan.revision,
                    plan.stage,
                    "work",
                    task.key,
                    task.position,
                    task.slot,
                    task.task_type,
                    task.lane,
                    clock["rank"],
                    now + task.position * task.pace,
                    now,
                    now + task.give_up_after,
                    ROW_VERSION,
                    task.max_attempts,
                    Jsonb(task.parameters),
                    now,
                )
            )
    return total
