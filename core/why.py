"""Why a job is where it is: a code and a sentence, computed from the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core import codes
from core.json import JsonObject, rfc3339
from core.models.records import JobRecord, StageRecord, TaskRecord
from core.ports.engine import PauseState, TaskFilter, TaskRepository
from core.states import JobStatus, StageStatus, TaskStatus

_LOOKED_AT = 100
#: How long a task has been runnable before anybody wonders whether its lane is served.
_PATIENCE = timedelta(minutes=1)


@dataclass(frozen=True)
class Why:
    """What a job waits for, or why it ended, and what to do.

    Args:
        code: The code of the error that it ended with, or the name of what it waits for.
        sentence: The same for people, with the values that matter.
    """

    code: str
    sentence: str


def why(job: JobRecord, tasks: TaskRepository, now: datetime) -> Why:
    """Say why a job is where it is.

    Args:
        job: The job with its stages.
        tasks: Where its tasks, the lanes and the pause are.
        now: The present, to tell what is still to come; a skew of seconds does no harm.
    """
    if job.ended:
        return _ended(job)
    stage = job.stages[job.stage - 1]
    if job.stopping:
        return _stopping(job, stage)
    kind = "plan" if stage.status is StageStatus.PLANNING else "work"
    running = _tasks(job, tasks, kind, TaskStatus.PROCESSING)
    if running:
        return _running(job, stage, running, now)
    return _waiting(job, stage, _tasks(job, tasks, kind, TaskStatus.QUEUED), tasks, now)


def _tasks(job: JobRecord, tasks: TaskRepository, kind: str, status: TaskStatus) -> Sequence[TaskRecord]:
    where = TaskFilter(stage=job.stage, status=status, kind=kind)
    return tasks.list_tasks(job.job_id, where, _LOOKED_AT, None)


def _ended(job: JobRecord) -> Why:
    code, sentence = _end(job)
    after = {
        "pending": "What it left behind is being cleaned up.",
        "failed": "Its clean-up failed and will be tried again.",
    }.get(job.cleanup, "")
    return Why(code, f"{sentence} {after}".strip())


def _end(job: JobRecord) -> tuple[str, str]:
    if job.status is JobStatus.COMPLETED:
        return "job.completed", _completion(job)
    if job.status is JobStatus.COMPLETED_WITH_ERRORS:
        failed, total = (
            sum(getattr(stage.tasks, name) for stage in job.stages) for name in ("failed", "total")
        )
        remedy = f"GET /api/jobs/{job.job_id}/tasks?status=failed shows the errors; resubmit to try again."
        return "job.completed_with_errors", f"{failed} of {total} tasks failed. {remedy}"
    error = job.error or {}
    fallback = codes.JOB_CANCELLED.code if job.status is JobStatus.CANCELLED else codes.STAGE_FAILED.code
    return error.get("code", fallback), _told(error) or f"The job is {job.status}."


def _completion(job: JobRecord) -> str:
    if job.unpublished_at is not None:
        return f"It completed, and what it published was taken back at {rfc3339(job.unpublished_at)}."
    if job.superseded_by is not None:
        return f"It completed, and job {job.superseded_by} has replaced what it published."
    return (
        "Every task completed."
        if job.completed_at is None
        else (f"Every task completed; it ended at {rfc3339(job.completed_at)}.")
    )


def _told(error: JsonObject) -> str:
    """Return message and remedy as sentences; messages of libraries end without a full stop."""
    parts = (error.get("message"), error.get("remedy"))
    return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part)


def _stopping(job: JobRecord, stage: StageRecord) -> Why:
    reason = _told(job.stop_error or {}) or "no reason was given."
    rest = f"Tasks still running: {stage.tasks.processing}; being cancelled: {stage.tasks.queued}."
    return Why(codes.JOB_STOPPING.code, f"It ends as {job.stop_to}: {reason} {rest}")


def _running(job: JobRecord, stage: StageRecord, running: Sequence[TaskRecord], now: datetime) -> Why:
    task = max(running, key=lambda one: one.heartbeat_at or one.created_at)
    if task.lease_until is not None and task.lease_until < now:
        since = rfc3339(task.heartbeat_at or task.created_at)
        return Why(
            "worker.silent",
            f"Worker {task.worker} has been silent since {since}; another one takes its task over.",
        )
    if task.kind == "plan":
        return Why("stage.planning", f"{_place(job, stage)} is being planned by worker {task.worker}.")
    counts = (
        f"tasks running: {stage.tasks.processing}, waiting: {stage.tasks.queued}, ended: {stage.tasks.ended}"
    )
    progress = "" if task.progress is None else f", {task.progress:.0%}"
    message = f": {task.message}" if task.message else "."
    return Why(
        "stage.running", f"{_place(job, stage)}: {counts}; worker {task.worker} beat last{progress}{message}"
    )


def _waiting(
    job: JobRecord, stage: StageRecord, queued: Sequence[TaskRecord], tasks: TaskRepository, now: datetime
) -> Why:
    if not queued:
        return Why("stage.ending", f"{_place(job, stage)} has no open task and is about to move on.")
    pause = tasks.pause_state()
    if pause.paused:
        return _paused(pause)
    first = min(queued, key=lambda one: one.run_after)
    if (first.error or {}).get("code") == codes.TASK_TYPE_UNKNOWN.code:
        return Why(
            codes.TASK_TYPE_UNKNOWN.code, f"{_told(first.error or {})} {codes.TASK_TYPE_UNKNOWN.remedy}"
        )
    if first.run_after > now and len(queued) < _LOOKED_AT:
        return _later(job, stage, first)
    if first.run_after < now - _PATIENCE and first.lane in tasks.silent_lanes():
        return Why(
            "lane.silent",
            f"Nothing has been claimed in lane {first.lane} for a while, and tasks wait there: "
            "see that a worker serves it; the watchdog rings for it.",
        )
    number = f"{_LOOKED_AT} or more" if len(queued) == _LOOKED_AT else str(len(queued))
    what = "its plan waits" if first.kind == "plan" else f"tasks waiting for their turn: {number},"
    return Why("job.queued", f"{_place(job, stage)}: {what} in lane {first.lane}.")


def _paused(pause: PauseState) -> Why:
    until = f"until {rfc3339(pause.until)}" if pause.until else "until somebody resumes it"
    reason = f": {pause.reason}" if pause.reason else "."
    return Why("engine.paused", f"Nothing is claimed {until}; paused by {pause.by or 'unknown'}{reason}")


def _later(job: JobRecord, stage: StageRecord, task: TaskRecord) -> Why:
    at = rfc3339(task.run_after)
    error = task.error or {}
    if "code" in error:
        return Why(
            "task.retrying",
            f"{_place(job, stage)}: attempt {task.attempt} of {task.max_attempts} met {error['code']}: "
            f"{_told({'message': error.get('message')})} The next one begins at {at}.",
        )
    reason = f": {task.message}" if task.message else "."
    return Why("task.snoozed", f"{_place(job, stage)} looks again at {at}{reason}")


def _place(job: JobRecord, stage: StageRecord) -> str:
    return f"Stage {stage.number} of {job.total_stages}, {stage.name}"
