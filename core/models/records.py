"""Jobs, stages, tasks and events as they are read back."""

from dataclasses import dataclass, field
from datetime import datetime

from core.json import JsonObject
from core.states import ENDED_JOB, JobStatus, StageStatus, TaskStatus


@dataclass(frozen=True)
class TaskCounts:
    """A stage's ledger: total = queued + processing + completed + failed + cancelled."""

    total: int = 0
    queued: int = 0
    processing: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def ended(self) -> int:
        """Return how many tasks have ended."""
        return self.completed + self.failed + self.cancelled


@dataclass(frozen=True)
class StageRecord:
    """A stage of one revision of a job."""

    number: int
    name: str
    task_type: str
    parallelism: str
    status: StageStatus
    started_at: datetime | None
    completed_at: datetime | None
    tasks: TaskCounts = field(default_factory=TaskCounts)


@dataclass(frozen=True)
class JobRecord:
    """A job at its present revision.

    `stop_to` is set while it is to end early; `message` and `task_progress` are those of the
    running task that beat last.
    """

    job_id: str
    job_type: str
    status: JobStatus
    revision: int
    priority: int
    row_version: int
    stage: int
    total_stages: int
    parameters: JsonObject
    cleanup: str
    requested_by: str
    created_at: datetime
    updated_at: datetime
    stop_to: str | None = None
    stop_error: JsonObject | None = None
    stop_by: str | None = None
    sources: JsonObject = field(default_factory=dict)
    result: JsonObject | None = None
    error: JsonObject | None = None
    traceparent: str | None = None
    superseded_by: str | None = None
    unpublished_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    message: str | None = None
    task_progress: float | None = None
    stages: tuple[StageRecord, ...] = ()

    @property
    def ended(self) -> bool:
        """Return whether this revision is over."""
        return self.status in ENDED_JOB

    @property
    def stopping(self) -> bool:
        """Return whether the job is on its way to an early end."""
        return self.stop_to is not None and not self.ended

    @property
    def progress(self) -> float:
        """Return a fraction of 1, which only a completed job reaches."""
        if self.status is JobStatus.COMPLETED:
            return 1.0
        done = sum(stage.status is StageStatus.COMPLETED for stage in self.stages)
        return min((done + self._running_share()) / max(self.total_stages, 1), 0.999)

    def _running_share(self) -> float:
        for stage in self.stages:
            if stage.status in (StageStatus.PROCESSING, StageStatus.FAILED, StageStatus.CANCELLED):
                if stage.tasks.total == 1 and stage.tasks.ended == 0:
                    return min(self.task_progress or 0.0, 1.0)
                return stage.tasks.ended / stage.tasks.total if stage.tasks.total else 0.0
        return 0.0


@dataclass(frozen=True)
class TaskRecord:
    """A task as a client sees it."""

    task_id: str
    job_id: str
    revision: int
    stage: int
    kind: str
    task_type: str
    key: str
    lane: str
    status: TaskStatus
    attempt: int
    max_attempts: int
    created_at: datetime
    run_after: datetime
    deadline: datetime
    worker: str | None = None
    progress: float | None = None
    message: str | None = None
    parameters: JsonObject | None = None
    result: JsonObject | None = None
    error: JsonObject | None = None
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    lease_until: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True)
class EventRecord:
    """A transition of a job or a stage, or the end of a claim on a task."""

    event_id: int
    job_id: str
    revision: int
    at: datetime
    subject: str
    event: str
    stage: int | None = None
    task_id: str | None = None
    actor: str | None = None
    reason: str | None = None
    worker: str | None = None
    started_at: datetime | None = None
    error: JsonObject | None = None


@dataclass(frozen=True)
class ViolationRecord:
    """A row that is older than its law allows."""

    code: str
    what: str
    overdue_seconds: float
    job_id: str | None = None
    task_id: str | None = None
