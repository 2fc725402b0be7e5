"""The engine's tables in memory, and the transitions that the SQL functions make."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from core import codes
from core.declaration import ROW_VERSION
from core.errors import IllegalTransition
from core.identity import task_id
from core.json import JsonObject
from core.models.claims import FollowUp
from core.models.records import EventRecord
from core.models.unpublished import UnpublishedJob
from core.ports.clock import Clock
from core.states import (
    ENDED_STAGE,
    ENDED_TASK,
    JOB_TRANSITIONS,
    STAGE_TRANSITIONS,
    TASK_TRANSITIONS,
    JobStatus,
    StageStatus,
    TaskStatus,
)
from infrastructure.memory.rows import (
    ArtifactRow,
    EngineRow,
    JanitorRows,
    JobRow,
    LaneRow,
    StageRow,
    TaskRow,
)

LANES = ("light", "heavy")
_PLAN_PATIENCE = timedelta(hours=24)
_PLAN_ATTEMPTS = 5


@dataclass
class EngineState:
    """Every table of ``app``, behind one lock; one call is one transaction.

    The in-memory repositories and effects share one. Each public method expects `locked`.

    Args:
        clock: The store's clock.
        max_rescues: Deaths of workers that a task survives.
    """

    clock: Clock
    max_rescues: int = 5
    jobs: dict[str, JobRow] = field(default_factory=dict)
    stages: dict[tuple[str, int], list[StageRow]] = field(default_factory=dict)
    tasks: dict[str, TaskRow] = field(default_factory=dict)
    by_job: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    queued: dict[str, set[str]] = field(default_factory=lambda: {lane: set() for lane in LANES})
    leased: set[str] = field(default_factory=set)
    events: list[EventRecord] = field(default_factory=list)
    artifacts: list[ArtifactRow] = field(default_factory=list)
    unpublished: dict[str, UnpublishedJob] = field(default_factory=dict)
    engine: EngineRow = field(default_factory=EngineRow)
    lanes: dict[str, LaneRow] = field(default_factory=lambda: {lane: LaneRow() for lane in LANES})
    janitor: JanitorRows = field(init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _event_ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        """Begin to miss the janitor's runs."""
        self.janitor = JanitorRows(self.clock.now())

    @contextmanager
    def locked(self) -> Iterator[datetime]:
        """Begin a transaction; gives the store's instant."""
        with self._lock:
            yield self.clock.now()

    def note(self, row: JobRow | TaskRow, subject: str, event: str, **facts: Any) -> None:
        """Append to the history of the row's job."""
        self.events.append(
            EventRecord(
                event_id=next(self._event_ids),
                job_id=row.job_id,
                revision=row.revision,
                at=self.clock.now(),
                subject=subject,
                event=event,
                **facts,
            )
        )

    def paused(self) -> bool:
        """Return whether claiming is paused."""
        engine = self.engine
        if engine.paused_at is None:
            return False
        return engine.paused_until is None or engine.paused_until > self.clock.now()

    def waiting_since(self, lane: str, limit: datetime) -> datetime | None:
        """Return since when a lane claims nothing though it could, if that was before `limit`."""
        last_claim = self.lanes[lane].last_claim_at
        waiting = [self.tasks[name].run_after for name in self.queued[lane]]
        oldest = min((since for since in waiting if since < limit), default=None)
        if self.paused() or oldest is None or (last_claim is not None and last_claim >= limit):
            return None
        return max(oldest, last_claim) if last_claim else oldest

    def tasks_of(self, job_id: str, revision: int) -> list[TaskRow]:
        """Return the tasks of a revision."""
        return [self.tasks[name] for name in self.by_job.get((job_id, revision), ())]

    def add_tasks(self, rows: Iterable[TaskRow]) -> None:
        """Insert task rows, queued."""
        for row in rows:
            self.tasks[row.task_id] = row
            self.by_job.setdefault((row.job_id, row.revision), []).append(row.task_id)
            self.queued[row.lane].add(row.task_id)

    def remove_tasks(self, rows: Iterable[TaskRow]) -> None:
        """Delete task rows."""
        for row in rows:
            del self.tasks[row.task_id]
            self.by_job[row.job_id, row.revision].remove(row.task_id)
            self.queued[row.lane].discard(row.task_id)
            self.leased.discard(row.task_id)

    def move_task(self, row: TaskRow, status: TaskStatus) -> None:
        """Change a task's status, if the table of transitions allows it."""
        if status not in TASK_TRANSITIONS[row.status]:
            raise _illegal("task", row.task_id, row.status, status)
        row.status = status
        self.queued[row.lane].discard(row.task_id)
        self.leased.discard(row.task_id)
        if status is TaskStatus.QUEUED:
            self.queued[row.lane].add(row.task_id)
        elif status is TaskStatus.PROCESSING:
            self.leased.add(row.task_id)
        row.completed_at = self.clock.now() if status in ENDED_TASK else None

    def move_stage(self, row: StageRow, status: StageStatus) -> None:
        """Change a stage's status, if the table of transitions allows it."""
        if status not in STAGE_TRANSITIONS[row.status]:
            raise _illegal("stage", row.name, row.status, status)
        row.status = status
        if status in ENDED_STAGE:
            row.completed_at = self.clock.now()
        if status is not StageStatus.CANCELLED:
            row.started_at = row.started_at or self.clock.now()

    def move_job(self, row: JobRow, status: JobStatus) -> None:
        """Change a job's status, if the table of transitions allows it."""
        if status not in JOB_TRANSITIONS[row.status]:
            raise _illegal("job", row.job_id, row.status, status)
        row.status = status
        row.updated_at = self.clock.now()

    def insert_plan(self, job: JobRow, stage: int) -> None:
        """Queue the plan task of a stage."""
        self.add_tasks([self.own_task(job, stage, "plan", "plan")])
        self.note(job, "stage", "planning", stage=stage)

    def own_task(self, job: JobRow, stage: int, kind: str, task_type: str) -> TaskRow:
        """Return a task of the engine's own."""
        now = self.clock.now()
        return TaskRow(
            task_id=task_id(job.job_id, job.revision, stage, kind, kind),
            job_id=job.job_id,
            revision=job.revision,
            stage=stage,
            kind=kind,
            key=kind,
            task_type=task_type,
            lane="light",
            rank=9 - job.priority,
            turn=now,
            run_after=now,
            deadline=now + _PLAN_PATIENCE,
            row_version=ROW_VERSION,
            max_attempts=_PLAN_ATTEMPTS,
            created_at=now,
        )

    def cleanup_task(self, job: JobRow, revision: int, number: int) -> TaskRow:
        """Return one more clean-up of a revision; a task ends once, so each has a key of its own."""
        key = "cleanup" if number == 1 else f"cleanup.{number}"
        row = self.own_task(job, 0, "cleanup", "clean_up")
        named = task_id(job.job_id, revision, 0, "cleanup", key)
        return replace(row, task_id=named, revision=revision, key=key)

    def mark_stopping(self, job: JobRow, to: str, error: JsonObject | None, by: str | None) -> None:
        """Set a job on its way to an early end."""
        job.stop_to, job.stop_error, job.stop_by, job.stop_at = to, error, by, self.clock.now()
        job.updated_at = self.clock.now()
        self.note(job, "job", "stopping", actor=by, reason=(error or {}).get("message"), error=error)

    def finish_stage(self, job: JobRow, number: int) -> list[FollowUp]:
        """Close a stage whose last task has ended, or whose plan has ended without tasks."""
        stage = self.stages[job.job_id, job.revision][number - 1]
        completed = sum(slot.completed for slot in stage.slots)
        failed = sum(slot.failed for slot in stage.slots)
        status = StageStatus.COMPLETED
        if job.stop_to is not None:
            status = StageStatus(job.stop_to)
        elif completed == 0 and failed > 0:
            status = StageStatus.FAILED
        self.move_stage(stage, status)
        stage.started_at = stage.started_at or self.clock.now()
        self.note(job, "stage", status.value, stage=number)
        if job.stop_to is not None:
            return self.end_job(job, JobStatus(job.stop_to), None, job.stop_error)
        if status is StageStatus.FAILED:
            message = f"All {failed} tasks of stage {number} failed."
            error = {"code": codes.STAGE_FAILED.code, "message": message}
            return self.end_job(job, JobStatus.FAILED, None, error)
        if number < job.total_stages:
            return self.begin_stage(job, number + 1)
        return self.complete_job(job)

    def begin_stage(self, job: JobRow, number: int) -> list[FollowUp]:
        """Put a pending stage into planning."""
        self.move_stage(self.stages[job.job_id, job.revision][number - 1], StageStatus.PLANNING)
        job.stage = number
        job.updated_at = self.clock.now()
        self.insert_plan(job, number)
        return [FollowUp("ring", "light", 1)]

    def complete_job(self, job: JobRow) -> list[FollowUp]:
        """End a job all of whose stages are completed."""
        stages = self.stages[job.job_id, job.revision]
        ledger = [
            {
                "number": stage.number,
                "name": stage.name,
                "planned": stage.total,
                "completed": sum(slot.completed for slot in stage.slots),
                "failed": sum(slot.failed for slot in stage.slots),
                "cancelled": sum(slot.cancelled for slot in stage.slots),
            }
            for stage in stages
        ]
        result: JsonObject | None = None
        if stages[-1].total == 1:
            result = next(
                task.result
                for task in self.tasks_of(job.job_id, job.revision)
                if task.stage == job.total_stages and task.kind == "work"
            )
        failed = any(row["failed"] for row in ledger)
        status = JobStatus.COMPLETED_WITH_ERRORS if failed else JobStatus.COMPLETED
        return self.end_job(job, status, {"stages": ledger} if result is None else result, None)

    def end_job(
        self, job: JobRow, status: JobStatus, result: JsonObject | None, error: JsonObject | None
    ) -> list[FollowUp]:
        """Make a job terminal; what it wrote and did not publish goes by a clean-up task."""
        for stage in self.stages[job.job_id, job.revision]:
            if stage.status not in ENDED_STAGE:
                self.move_stage(stage, StageStatus.CANCELLED)
        mine = [row for row in self.artifacts if (row.job_id, row.revision) == (job.job_id, job.revision)]
        for row in mine:
            if row.state == "reserved":
                row.become("released", self.clock.now())
        dirty = job.has_intermediates or any(row.state == "writing" for row in mine)
        self.move_job(job, status)
        job.result, job.error, job.completed_at = result, error, self.clock.now()
        job.cleanup = "pending" if dirty else "none"
        self.note(job, "job", status.value, actor=job.stop_by, error=error)
        if not dirty:
            return []
        self.add_tasks([self.own_task(job, 0, "cleanup", "clean_up")])
        return [FollowUp("ring", "light", 1)]


def _illegal(what: str, name: str, before: str, after: str) -> IllegalTransition:
    return IllegalTransition(codes.TRANSITION_ILLEGAL, f"{what} {name}: {before} to {after}")
