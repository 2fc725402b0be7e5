"""The engine's rows in memory, with the columns of ``app``."""

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, TypeVar

from core.json import JsonObject
from core.models.janitor import SweepRun
from core.states import JobStatus, StageStatus, TaskStatus

T = TypeVar("T")


@dataclass
class JobRow:
    """A row of ``app.jobs``."""

    job_id: str
    job_type: str
    status: JobStatus
    revision: int
    priority: int
    identity: str
    row_version: int
    parameters: JsonObject
    total_stages: int
    has_intermediates: bool
    sources: JsonObject
    requested_by: str
    traceparent: str | None
    created_at: datetime
    updated_at: datetime
    stage: int = 1
    stop_to: str | None = None
    stop_error: JsonObject | None = None
    stop_by: str | None = None
    stop_at: datetime | None = None
    cleanup: str = "none"
    result: JsonObject | None = None
    error: JsonObject | None = None
    superseded_by: str | None = None
    unpublished_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    pruned_revision: int = 0


@dataclass
class SlotRow:
    """A row of ``app.stage_slots``."""

    open: int
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass
class StageRow:
    """A row of ``app.stages``, with its slots."""

    number: int
    name: str
    task_type: str
    parallelism: str
    on_task_failure: str
    status: StageStatus
    total: int = 0
    open_slots: int = 0
    slots: list[SlotRow] = field(default_factory=list)
    started_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass
class TaskRow:
    """A row of ``app.tasks``."""

    task_id: str
    job_id: str
    revision: int
    stage: int
    kind: str
    key: str
    task_type: str
    lane: str
    rank: int
    turn: datetime
    run_after: datetime
    deadline: datetime
    row_version: int
    max_attempts: int
    created_at: datetime
    position: int = 0
    slot: int | None = None
    parameters: JsonObject = field(default_factory=dict)
    status: TaskStatus = TaskStatus.QUEUED
    fence: int = 0
    ended_fence: int | None = None
    ended_outcome: str | None = None
    attempt: int = 0
    rescues: int = 0
    releases: int = 0
    worker: str | None = None
    claim_id: str | None = None
    claimed_at: datetime | None = None
    lease_until: datetime | None = None
    heartbeat_at: datetime | None = None
    progress: float | None = None
    message: str | None = None
    result: JsonObject | None = None
    error: JsonObject | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass
class ArtifactRow:
    """A row of ``app.artifacts``."""

    kind: str
    location: str
    job_id: str
    revision: int
    role: str
    state: str
    task_id: str | None = None
    target: str | None = None
    nbytes: int | None = None
    checksum: str | None = None
    etag: str | None = None
    updated_at: datetime | None = None

    def become(self, state: str, now: datetime) -> None:
        """Change the artifact's state."""
        self.state, self.updated_at = state, now


@dataclass
class EngineRow:
    """The row of ``app.engine``."""

    rescue_after: datetime | None = None
    paused_at: datetime | None = None
    paused_until: datetime | None = None
    pause_reason: str | None = None
    paused_by: str | None = None
    watchdog_period: timedelta = timedelta(minutes=5)


@dataclass
class LaneRow:
    """A row of ``app.lanes``."""

    bell_at: datetime | None = None
    last_claim_at: datetime | None = None


@dataclass
class JanitorRows:
    """The rows of ``app.sweeps``, ``app.sweep_lease`` and ``app.janitor_runs``.

    Args:
        since: From when on runs are missed.
        periods: By sweep, how often it should run.
        runs: Every run, oldest first.
        run_id: Which of them holds the lease.
        holder: The wish that it came of.
        until: How long it holds it.
    """

    since: datetime
    periods: dict[str, timedelta] = field(
        default_factory=lambda: {
            "task_watchdog": timedelta(minutes=5),
            "job_health": timedelta(minutes=10),
            "orphan_detector": timedelta(minutes=15),
            "prune": timedelta(days=1),
        }
    )
    runs: list[SweepRun] = field(default_factory=list)
    run_id: int | None = None
    holder: str | None = None
    until: datetime | None = None


def record(cls: type[T], row: Any, **more: Any) -> T:
    """Build a record from the fields of a row that it shares, and from `more`."""
    names = {item.name for item in fields(cls)}  # type: ignore[arg-type]  # T is a dataclass type
    shared = {item.name: getattr(row, item.name) for item in fields(row) if item.name in names}
    return cls(**shared | more)
