"""The ports of the janitor: its runs, and what its rules ask of the engine's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from core.json import JsonObject
from core.models.claims import Ended
from core.models.janitor import (
    Mended,
    Retried,
    RunStatus,
    SilentTask,
    Suspect,
    SweepRun,
    SweepState,
    SweepTotals,
)
from core.ports.effects import ArtifactRecord


@dataclass(frozen=True)
class RunRequest:
    """A wish to sweep.

    Args:
        sweep: Which one.
        by: Who wishes it.
        holder: Unique, so that a call whose answer was lost can be repeated.
        period: How often the sweep should run.
        lease: How long the run holds the janitor's lease without a sign of life.
    """

    sweep: str
    by: str
    holder: str
    period: timedelta
    lease: timedelta


@dataclass(frozen=True)
class RunFilter:
    """Which runs a list has; None does not filter."""

    sweep: str | None = None
    status: str | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None


@dataclass(frozen=True)
class Report:
    """What a run has come to so far."""

    scanned: int
    fixed: int
    actions: Sequence[JsonObject]


class SweepRuns(Protocol):
    """One lease that all sweeps share, and a record of every run."""

    def begin(self, request: RunRequest) -> int | None:
        """Take the lease and record a run; None while another run holds it.

        A run that still stands as running though its lease is over is recorded as failed.
        """
        ...

    def keep(self, run_id: int, lease: timedelta, report: Report) -> bool:
        """Renew the lease and record what was done so far; False if another run has it now."""
        ...

    def end(self, run_id: int, status: RunStatus, report: Report, error: JsonObject | None) -> SweepRun:
        """Record the end of a run and give the lease back. Idempotent."""
        ...

    def skip(self, request: RunRequest) -> SweepRun:
        """Record that a sweep did not run, because another one held the lease."""
        ...

    def runs(self, where: RunFilter, limit: int, before: int | None) -> Sequence[SweepRun]:
        """Return runs, newest first, behind the run id `before`."""
        ...

    def states(self) -> Sequence[SweepState]:
        """Return how each sweep is doing."""
        ...

    def totals(self, within: timedelta) -> SweepTotals:
        """Return what the runs of the last `within` came to."""
        ...

    def prune(self, age: timedelta, limit: int) -> int:
        """Remove at most `limit` runs that are older than `age`; return how many."""
        ...


class Suspicion(StrEnum):
    """Why an active job is looked at more closely."""

    #: Its ledger may disagree with its tasks: every job with a stage under way is looked at.
    COUNTERS = "counters"
    #: Its present stage is over, or a task failed whose failure is the job's, and nothing followed.
    UNMOVED = "unmoved"
    #: It is stopping for longer than that takes.
    STOPPING = "stopping"
    #: None of its tasks is open, so that nothing will ever move it.
    IDLE = "idle"


@dataclass(frozen=True)
class Range:
    """Job ids behind `after`, up to and with `upto`; an empty `upto` is no limit."""

    after: str = ""
    upto: str = ""


class Mending(Protocol):
    """What the rules ask and do. Every method is one short transaction; what is locked is left out.

    `age` is how long a state must have lasted that should not last.
    """

    def suspects(self, why: Suspicion, age: timedelta, among: Range, limit: int) -> Sequence[Suspect]:
        """Look at the next jobs by id, at most `limit`."""
        ...

    def mend(self, job_id: str, revision: int) -> Mended:
        """Do for an active job what was left undone, decided anew under its locks.

        Its counters are set by its tasks; a stage that is over is ended and the next one begun; a
        missing plan is queued again; a failure stops the job; a stopping job that runs nothing ends.
        """
        ...

    def cancel_stray_tasks(self, age: timedelta, limit: int) -> Ended:
        """Cancel open tasks whose job, or whose revision of it, has ended."""
        ...

    def remove_jobless_tasks(self, limit: int) -> Sequence[str]:
        """Delete open tasks that have no job at all, which no constraint allows."""
        ...

    def retry_cleanups(self, age: timedelta, grace: timedelta, limit: int) -> Retried:
        """Queue clean-ups again: failed ones, missing ones, and those of outputs left in ``writing``.

        Each further one for the same revision waits twice as long, from `age` on.
        """
        ...

    def release_reservations(self, age: timedelta, limit: int) -> Sequence[str]:
        """Release what ended jobs have only reserved; return the locations."""
        ...

    def forsaken(self, keys: Sequence[str], grace: timedelta) -> Mapping[str, datetime]:
        """Return those ids, or beginnings of ids, all of whose jobs ended longer than `grace` ago.

        Args:
            keys: At least eight digits each.
            grace: How long ago.

        Returns:
            By key, the instant before which nothing that is written belongs to a job that may
            still want it. Keys without any job are left out.
        """
        ...

    def outdated_blobs(self, prefix: str, age: timedelta, limit: int) -> Sequence[ArtifactRecord]:
        """Return live blobs below a location that were published longer than `age` ago."""
        ...

    def forget_blobs(self, locations: Sequence[str]) -> None:
        """Say of live blobs that they are deleted."""
        ...

    def prunable(self, age: timedelta, limit: int) -> Sequence[Suspect]:
        """Return revisions of jobs that ended longer than `age` ago and still have tasks or events."""
        ...

    def prune(self, job_id: str, revision: int, limit: int) -> int:
        """Remove at most `limit` tasks and events of an ended revision; return how many."""
        ...

    def silent_tasks(
        self, silence: timedelta, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[SilentTask]:
        """Return tasks in work that nobody has beaten for, longest silence first.

        Args:
            silence: Shortest silence.
            limit: Most of them.
            after: Heartbeat and id behind which to begin.
        """
        ...


class ScratchTables(Protocol):
    """Tables that loads fill aside, before they take the place of the published one."""

    def drop_forsaken(self, age: timedelta, limit: int) -> Sequence[str]:
        """Drop such tables of jobs that ended longer than `age` ago; return their names."""
        ...
