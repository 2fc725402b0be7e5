"""Rows of the engine's tables as values, by name; nowhere else."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

from core.models.claims import ClaimedTask, EndAnswer, Ended, FollowUp
from core.models.records import JobRecord, StageRecord, TaskCounts, TaskRecord
from core.states import JobStatus, StageStatus, TaskStatus

Row = Mapping[str, Any]


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=_Dataclass)

_COUNTS = ("total", "queued", "processing", "completed", "failed", "cancelled")


def pick(cls: type[T], row: Row, **more: Any) -> T:
    """Build a dataclass from the columns that bear its fields' names, and from `more`."""
    return cls(**{name: row[name] for name in cls.__dataclass_fields__ if name in row} | more)


def job(row: Row, stages: Sequence[Row] = ()) -> JobRecord:
    """Return a job from ``app.jobs`` and ``app.stage_counts``."""
    return pick(JobRecord, row, status=JobStatus(row["status"]), stages=tuple(map(stage, stages)))


def stage(row: Row) -> StageRecord:
    """Return a stage from ``app.stage_counts``."""
    counts = TaskCounts(**{name: int(row[name]) for name in _COUNTS})
    return pick(StageRecord, row, status=StageStatus(row["status"]), tasks=counts)


def task(row: Row) -> TaskRecord:
    """Return a task from ``app.tasks``."""
    return pick(TaskRecord, row, status=TaskStatus(row["status"]))


def claimed(row: Row) -> ClaimedTask:
    """Return a claim from ``app.claim_v1``."""
    return pick(ClaimedTask, row)


def follow_ups(value: Sequence[Sequence[Any]]) -> tuple[FollowUp, ...]:
    """Return what a function's ``follow_ups`` asks for."""
    return tuple(FollowUp(*item) for item in value)


def ended(row: Row | None) -> Ended:
    """Return the answer of a function that ends tasks."""
    if row is None:
        return Ended()
    return Ended(tuple(EndAnswer(*item) for item in row["answers"]), follow_ups(row["follow_ups"]))
