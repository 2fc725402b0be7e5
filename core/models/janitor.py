"""Runs of the janitor's sweeps, and what they find."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from core.json import JsonObject
from core.models.claims import FollowUp


class RunStatus(StrEnum):
    """Where a run of a sweep is."""

    RUNNING = "running"
    COMPLETED = "completed"
    #: A rule of it failed, or its process died.
    FAILED = "failed"
    #: Another sweep was at work for too long.
    SKIPPED = "skipped"


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    `actions` say what was done: each has ``action``, ``number`` and the first ``items`` of them.
    """

    run_id: int
    run_type: str
    status: RunStatus
    triggered_by: str
    started_at: datetime
    ended_at: datetime | None = None
    scanned: int = 0
    fixed: int = 0
    actions: Sequence[JsonObject] = ()
    error: JsonObject | None = None


@dataclass(frozen=True)
class SweepState:
    """Whether a sweep does its work, by the store's clock.

    Args:
        sweep: Its name.
        period: How often it should run.
        since: From when on its runs are missed.
        now: The present.
        last: Its last run, of whatever status.
        completed_at: When its last complete run began.
        skips: How many of its last runs in a row were skipped.
        dead: Whether its last run still stands as running though its lease is over.
    """

    sweep: str
    period: timedelta
    since: datetime
    now: datetime
    last: SweepRun | None = None
    completed_at: datetime | None = None
    skips: int = 0
    dead: bool = False


@dataclass(frozen=True)
class SweepTotals:
    """What the runs since an instant came to."""

    runs: int = 0
    failed: int = 0
    skipped: int = 0
    fixed: int = 0


@dataclass(frozen=True)
class Suspect:
    """A job that a rule looked at; `sound` if nothing is wrong with it."""

    job_id: str
    revision: int
    sound: bool = False


@dataclass(frozen=True)
class Mended:
    """What was done for a job; None if there was nothing to do, or somebody is at it."""

    action: str | None = None
    follow_ups: Sequence[FollowUp] = ()


@dataclass(frozen=True)
class Retried:
    """Clean-ups that were queued again."""

    job_ids: Sequence[str] = ()
    follow_ups: Sequence[FollowUp] = ()


@dataclass(frozen=True)
class SilentTask:
    """A task that is being worked on by somebody who has not been heard of for a while.

    `silence` is the time since its last heartbeat, `running_for` that since its claim.
    """

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
    rescues: int
    claimed_at: datetime
    heartbeat_at: datetime
    lease_until: datetime
    deadline: datetime
    silence: timedelta
    running_for: timedelta
    stopping: bool
    now: datetime
    progress: float | None = None
    message: str | None = None
    rescue_after: datetime | None = field(default=None)
