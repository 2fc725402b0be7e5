"""States of jobs, stages and tasks, and the changes between them that are legal."""

from collections.abc import Mapping
from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job is."""

    #: Recorded; nothing of it has been claimed.
    QUEUED = "queued"
    #: A task of it has been claimed.
    PROCESSING = "processing"
    COMPLETED = "completed"
    #: Ended, and some tasks failed whose stage goes on without them.
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StageStatus(StrEnum):
    """Where a stage is."""

    #: An earlier stage runs.
    PENDING = "pending"
    #: Its plan task is queued or running.
    PLANNING = "planning"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskStatus(StrEnum):
    """Where a task is."""

    QUEUED = "queued"
    #: A worker holds a claim on it.
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How a claim can end."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    #: A passing fault: again after a pause, as a further attempt.
    RETRY = "retry"
    #: Not ready: again after a pause, without counting an attempt.
    SNOOZE = "snooze"
    #: Given back by a worker that drains or did not begin it.
    RELEASE = "release"
    #: Taken from a worker that fell silent.
    RESCUE = "rescue"


JOB_TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.PROCESSING, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.PROCESSING: frozenset(
        {
            JobStatus.COMPLETED,
            JobStatus.COMPLETED_WITH_ERRORS,
            JobStatus.FAILED,
            JobStatus.CANCELLED,
        }
    ),
    # An ended job is queued again by its next revision, and only so.
    JobStatus.COMPLETED: frozenset({JobStatus.QUEUED}),
    JobStatus.COMPLETED_WITH_ERRORS: frozenset({JobStatus.QUEUED}),
    JobStatus.FAILED: frozenset({JobStatus.QUEUED}),
    JobStatus.CANCELLED: frozenset({JobStatus.QUEUED}),
}

STAGE_TRANSITIONS: Mapping[StageStatus, frozenset[StageStatus]] = {
    StageStatus.PENDING: frozenset({StageStatus.PLANNING, StageStatus.CANCELLED}),
    StageStatus.PLANNING: frozenset(
        {
            StageStatus.PROCESSING,
            StageStatus.COMPLETED,
            StageStatus.FAILED,
            StageStatus.CANCELLED,
        }
    ),
    StageStatus.PROCESSING: frozenset({StageStatus.COMPLETED, StageStatus.FAILED, StageStatus.CANCELLED}),
    StageStatus.COMPLETED: frozenset(),
    StageStatus.FAILED: frozenset(),
    StageStatus.CANCELLED: frozenset(),
}

TASK_TRANSITIONS: Mapping[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.QUEUED: frozenset({TaskStatus.PROCESSING, TaskStatus.FAILED, TaskStatus.CANCELLED}),
    TaskStatus.PROCESSING: frozenset(
        {TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.QUEUED}
    ),
    TaskStatus.COMPLETED: frozenset(),
    TaskStatus.FAILED: frozenset(),
    TaskStatus.CANCELLED: frozenset(),
}

ENDED_JOB = frozenset(
    {JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS, JobStatus.FAILED, JobStatus.CANCELLED}
)
ENDED_STAGE = frozenset({StageStatus.COMPLETED, StageStatus.FAILED, StageStatus.CANCELLED})
ENDED_TASK = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})

#: Outcomes that end the task as well as the claim.
FINAL_OUTCOMES = frozenset({Outcome.COMPLETED, Outcome.FAILED, Outcome.CANCELLED})
