"""What the routes of the janitor answer, as models."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from core.json import JsonObject
from core.models.janitor import RunStatus
from core.sweep_health import Condition
from triggers.http.schemas import Answer, Failure


class CleanupRun(Answer):
    """One run of a sweep."""

    run_id: int
    run_type: str
    status: RunStatus = Field(description="`skipped`: another sweep was at work for too long.")
    triggered_by: str
    started_at: datetime
    ended_at: datetime | None
    duration_seconds: float | None
    scanned: int = Field(description="How many rows, folders or messages were looked at.")
    fixed: int = Field(description="How many of them were mended.")
    actions: list[JsonObject] = Field(
        description="What was done: `action`, `number`, the first hundred `items`, and facts."
    )
    error: Failure | None


class CleanupSummary(Answer):
    """What the runs of a request came to."""

    total_scanned: int
    total_fixed: int
    runs_completed: int
    all_success: bool


class CleanupRan(Answer):
    """The answer to a wish to sweep."""

    status: Literal["success", "partial_failure"]
    run_type: str
    summary: CleanupSummary
    results: list[CleanupRun]
    triggered_at: datetime
    triggered_by: str


class SweepStatus(Answer):
    """How a sweep is doing."""

    sweep: str
    schedule: str = Field(description="NCRONTAB of its timer, in UTC.")
    period_seconds: float
    condition: Condition = Field(
        description="`dead`: its run never ended; `overdue`: none ended for two periods; `skipping`: two "
        "or more skipped in a row."
    )
    sentence: str
    last_completed_at: datetime | None
    skips_in_a_row: int
    last_run: CleanupRun | None


class LastDay(Answer):
    """What the runs of the last 24 hours came to."""

    total_runs: int
    failed_runs: int
    skipped_runs: int
    total_items_fixed: int


class JanitorStatus(Answer):
    """The janitor's settings and its recent runs."""

    enabled: bool = Field(description="Whether the timers sweep.")
    config: dict[str, float]
    last_24_hours: LastDay
    recent_runs: list[CleanupRun]


class CleanupStatus(Answer):
    """Whether the janitor does its work."""

    status: Literal["healthy", "degraded"]
    janitor: JanitorStatus
    sweeps: list[SweepStatus]
    timestamp: datetime


class ZombieTask(Answer):
    """A task in work whose worker has not been heard of for a while."""

    task_id: str
    job_id: str
    job_type: str
    revision: int
    stage: int
    kind: str
    key: str
    task_type: str
    lane: str
    worker: str
    attempt: int
    rescues: int = Field(description="How many of its workers died before.")
    progress: float | None = Field(description="As its worker last told it, 0 to 1.")
    message: str | None
    claimed_at: datetime
    age_seconds: float = Field(description="Time since the claim.")
    last_heartbeat_at: datetime
    silent_seconds: float = Field(description="Time since the last heartbeat.")
    lease_until: datetime
    action: Literal["requeue", "fail", "cancel"] = Field(description="What the watchdog will do.")
    not_before: datetime = Field(description="Until then its worker may come back.")
    due_by: datetime | None = Field(
        description="When the watchdog does it at the latest; null while the watchdog itself is overdue."
    )
    sentence: str
