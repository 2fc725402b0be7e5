"""``app.violations`` in memory: every row that is older than its law allows."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from core.models.records import ViolationRecord
from core.states import StageStatus, TaskStatus
from infrastructure.memory.rows import JobRow, TaskRow
from infrastructure.memory.state import EngineState
from infrastructure.memory.sweep_runs import InMemorySweepRuns

_GRACE = timedelta(minutes=1)


def violations(state: EngineState) -> list[ViolationRecord]:
    """Return every violation, longest overdue first."""
    now = state.clock.now()
    patience = state.engine.watchdog_period + _GRACE
    found = [
        *_of_tasks(state, now - patience, now),
        *_of_lanes(state, now - patience, now),
        *_of_jobs(state, now - patience, now),
        *_of_sweeps(state, now),
    ]
    return sorted(found, key=lambda row: -row.overdue_seconds)


def _of_tasks(state: EngineState, limit: datetime, now: datetime) -> Iterator[ViolationRecord]:
    for task in state.tasks.values():
        if task.status is TaskStatus.PROCESSING and task.lease_until and task.lease_until < limit:
            what = f"worker {task.worker} is silent and nobody has rescued its task"
            yield _violation("lease.expired", what, now - task.lease_until, task)
        if task.status is TaskStatus.QUEUED and task.deadline < limit:
            what = "the queued task is past its deadline"
            yield _violation("task.past_deadline", what, now - task.deadline, task)


def _of_lanes(state: EngineState, limit: datetime, now: datetime) -> Iterator[ViolationRecord]:
    for lane in state.lanes:
        since = state.waiting_since(lane, limit)
        if since is not None and not _is_busy(state, lane, now):
            what = f"lane {lane} has runnable tasks and has claimed nothing"
            yield ViolationRecord("lane.silent", what, (now - since).total_seconds())


def _is_busy(state: EngineState, lane: str, now: datetime) -> bool:
    return any(
        task.lane == lane and task.lease_until is not None and task.lease_until >= now
        for task in state.tasks.values()
    )


def _of_jobs(state: EngineState, limit: datetime, now: datetime) -> Iterator[ViolationRecord]:
    for job in state.jobs.values():
        tasks = state.tasks_of(job.job_id, job.revision)
        open_tasks = [task for task in tasks if task.completed_at is None]
        if job.completed_at is None:
            yield from _of_active(state, job, open_tasks, limit)
        elif job.cleanup == "failed":
            what = "the clean-up failed after every attempt"
            yield _violation("cleanup.failed", what, now - job.completed_at, job)
        elif job.cleanup == "pending" and job.completed_at < limit and not open_tasks:
            what = "the clean-up is pending and has no task"
            yield _violation("cleanup.pending", what, now - job.completed_at, job)


def _of_active(
    state: EngineState, job: JobRow, open_tasks: list[TaskRow], limit: datetime
) -> Iterator[ViolationRecord]:
    now = state.clock.now()
    for stage in state.stages[job.job_id, job.revision]:
        closed = stage.status is StageStatus.PROCESSING and stage.open_slots == 0
        if closed and job.updated_at < limit:
            what = f"stage {stage.number} has no open task and its job has not moved on"
            yield _violation("stage.closed", what, now - job.updated_at, job)
    if job.stop_at and job.stop_at < limit and any(t.status is TaskStatus.QUEUED for t in open_tasks):
        yield _violation(
            "job.stopping", "the job is stopping and has queued tasks left", now - job.stop_at, job
        )
    if job.updated_at < limit and not open_tasks:
        what = "the job is active and has no task that could move it"
        yield _violation("job.idle", what, now - job.updated_at, job)


def _of_sweeps(state: EngineState, now: datetime) -> Iterator[ViolationRecord]:
    for sweep in InMemorySweepRuns(state).states():
        good = max(sweep.completed_at or sweep.since, sweep.since)
        if good < now - 2 * sweep.period - _GRACE:
            last = sweep.last.status if sweep.last else "none"
            what = f"{sweep.sweep} has not run to its end for two of its periods; its last run: {last}"
            yield ViolationRecord("sweep.overdue", what, (now - good).total_seconds())


def _violation(code: str, what: str, overdue: timedelta, row: JobRow | TaskRow) -> ViolationRecord:
    task_id = row.task_id if isinstance(row, TaskRow) else None
    return ViolationRecord(code, what, overdue.total_seconds(), row.job_id, task_id)
