"""The ports to the engine's own rows. The store's clock decides about every instant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from core.declaration import TaskResult
from core.json import JsonObject
from core.models.claims import (
    Beat,
    BeatAnswer,
    ClaimedTask,
    ClaimRequest,
    Ended,
    FollowUp,
    StopAnswer,
    TaskEnd,
)
from core.models.records import EventRecord, JobRecord, TaskRecord, ViolationRecord
from core.models.submissions import NewJob, SubmitAnswer


class FenceLost(Exception):
    """The claim under which something was to be written is no longer held."""


class JobStopping(Exception):
    """A plan was not written, or a result not published, because the job is stopping."""


@dataclass(frozen=True)
class JobFilter:
    """Which jobs a list has; None does not filter."""

    status: str | None = None
    job_type: str | None = None
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None
    code: str | None = None


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks of a job a list has, of which kind, and which of their bulky fields."""

    stage: int | None = None
    status: str | None = None
    kind: str = "work"
    include: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PlannedTask:
    """A task row as a plan writes it."""

    task_id: str
    key: str
    position: int
    slot: int
    task_type: str
    lane: str
    max_attempts: int
    give_up_after: timedelta
    pace: timedelta
    parameters: JsonObject


@dataclass(frozen=True)
class PauseState:
    """Whether claiming is paused."""

    paused: bool
    until: datetime | None = None
    reason: str | None = None
    by: str | None = None


class JobRepository(Protocol):
    """Jobs: submission, stops and reading."""

    def submit(self, job: NewJob) -> SubmitAnswer:
        """Find, join or make a revision of a job, with its stages, reservations and first plan task."""
        ...

    def get(self, job_id: str) -> JobRecord | None:
        """Return a job with the stages of its present revision."""
        ...

    def statuses(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Return the status of each known job, by one query."""
        ...

    def with_prefix(self, prefix: str) -> Mapping[str, datetime | None]:
        """Return the jobs whose ids begin with at least eight digits, and when each has ended."""
        ...

    def list_jobs(
        self, where: JobFilter, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[JobRecord]:
        """Return jobs without their stages, newest first, behind `before` (created_at, job_id)."""
        ...

    def events(self, job_id: str, limit: int, after: int) -> Sequence[EventRecord]:
        """Return events in order, behind the event id `after`."""
        ...

    def stop(self, job_id: str, to: str, error: JsonObject, by: str) -> StopAnswer:
        """Ask a job to end as ``failed`` or ``cancelled``."""
        ...

    def cancel_queued(
        self, job_id: str, revision: int, after_key: str, limit: int
    ) -> tuple[str | None, Sequence[FollowUp]]:
        """Cancel queued tasks of a stopping job in order of key; return the last key, or None at the end."""
        ...

    def violations(self, limit: int) -> Sequence[ViolationRecord]:
        """Return rows of ``app.violations``."""
        ...

    def count_active(self, limit: int) -> int:
        """Return how many jobs have not ended, counted no further than `limit`."""
        ...

    def count_violations(self) -> int:
        """Return how many there are."""
        ...

    def ping(self) -> str:
        """Return the store's name and version if it answers."""
        ...


class TaskRepository(Protocol):
    """Tasks: claims, ends, plans, lanes and reading. Every write is conditional on a fence."""

    def claim(self, request: ClaimRequest) -> Sequence[ClaimedTask]:
        """Take runnable tasks in the lane's order, skipping those that others are taking."""
        ...

    def claimed(self, request: ClaimRequest) -> Sequence[ClaimedTask]:
        """Return what an earlier call with this claim id took."""
        ...

    def end(self, ends: Sequence[TaskEnd]) -> Ended:
        """End claims: the one way in which a task leaves a worker. Idempotent by fence."""
        ...

    def end_plan(self, plan: ClaimedTask, tasks: Iterable[PlannedTask], slots: int) -> Ended:
        """Write a stage's tasks and end their plan task, in one transaction.

        Args:
            plan: The claim on the plan task.
            tasks: Streamed; keys must be unique.
            slots: Over how many slots the positions were dealt; 1 for a stage whose `slot`s are 0.

        Raises:
            FenceLost: The claim is no longer held; nothing was written.
            JobStopping: The job is stopping; nothing was written.
        """
        ...

    def beat(self, beats: Sequence[Beat], lease: timedelta) -> Sequence[BeatAnswer]:
        """Renew leases, on a connection that nothing else uses."""
        ...

    def defer_rescue(self, by: timedelta) -> None:
        """Let nobody rescue for a while, after an outage."""
        ...

    def rescue(self, limit: int) -> Ended:
        """End claims whose leases have run out."""
        ...

    def expire(self, limit: int) -> Ended:
        """Fail queued tasks whose deadline has passed."""
        ...

    def results(
        self, job_id: str, revision: int, stage: int, after_key: str, limit: int
    ) -> Sequence[TaskResult]:
        """Return results of completed tasks in order of key, behind `after_key`."""
        ...

    def failures(
        self, job_id: str, revision: int, stage: int, after_key: str, limit: int
    ) -> Sequence[TaskRecord]:
        """Return failed tasks in order of key, behind `after_key`."""
        ...

    def list_tasks(
        self, job_id: str, where: TaskFilter, limit: int, before: tuple[int, str] | None
    ) -> Sequence[TaskRecord]:
        """Return tasks of the present revision by stage and key descending, behind `before`."""
        ...

    def get(self, task_id: str) -> TaskRecord | None:
        """Return a task with its parameters, result and error."""
        ...

    def schedule_bell(self, lane: str) -> timedelta | None:
        """Take the right to send the lane's scheduled bell; return its delay, or None."""
        ...

    def unschedule_bell(self, lane: str) -> None:
        """Give that right back, because the bell could not be sent."""
        ...

    def runnable(self, lane: str, limit: int) -> int:
        """Return how many tasks of a lane are runnable now, counted up to `limit`."""
        ...

    def silent_lanes(self) -> Sequence[str]:
        """Return the lanes that have claimed nothing for half a minute though they had runnable tasks."""
        ...

    def pause(self, reason: str, by: str, until: datetime | None) -> None:
        """Let nothing be claimed until `resume` or `until`."""
        ...

    def resume(self) -> None:
        """Let tasks be claimed again."""
        ...

    def pause_state(self) -> PauseState:
        """Return whether claiming is paused."""
        ...
