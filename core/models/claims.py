"""What a worker takes, holds and gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.json import JsonObject
from core.states import Outcome


@dataclass(frozen=True)
class ClaimRequest:
    """A worker's wish for tasks.

    Args:
        lane: Where to look.
        limit: Most tasks taken.
        worker: Name of the process, for people.
        claim_id: Unique, so that a call whose answer was lost can be repeated.
        lease: How long the claim holds without a heartbeat.
        start: Where in the lane's order to begin: rank and turn; None: at the very start.
    """

    lane: str
    limit: int
    worker: str
    claim_id: str
    lease: timedelta
    start: tuple[int, datetime] | None = None


@dataclass(frozen=True)
class ClaimedTask:
    """A task that this process may run as long as its fence holds.

    `claimed_for` is the time since its first claim, `time_left` that until its deadline;
    `last_code` is the error code with which its claim before ended, if any.
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
    rank: int
    turn: datetime
    fence: int
    attempt: int
    max_attempts: int
    row_version: int
    claimed_for: timedelta
    time_left: timedelta
    stopping: bool = False
    last_code: str | None = None
    parameters: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class TaskEnd:
    """How a claim ends."""

    task_id: str
    fence: int
    outcome: Outcome
    result: JsonObject | None = None
    error: JsonObject | None = None
    delay: timedelta = timedelta(0)


@dataclass(frozen=True)
class EndAnswer:
    """What became of a `TaskEnd`.

    Args:
        task_id: The task.
        answer: ``ended``; ``already``: this very claim was ended before; ``lost``: somebody else
            ended it.
        outcome: What the store decided, which can differ from what was asked for.
    """

    task_id: str
    answer: str
    outcome: str


@dataclass(frozen=True)
class FollowUp:
    """What the caller has to do after a commit.

    Args:
        action: ``ring``: ring `number` bells in lane `subject`; ``later``: see to the lane's
            scheduled bell; ``cancel``: cancel the queued tasks of job `subject`, revision `number`.
        subject: A lane or a job.
        number: Tasks, or a revision.
    """

    action: str
    subject: str
    number: int


@dataclass(frozen=True)
class Ended:
    """Answers and consequences of a batch of ends."""

    answers: Sequence[EndAnswer] = ()
    follow_ups: Sequence[FollowUp] = ()


@dataclass(frozen=True)
class Beat:
    """A sign of life for one claim."""

    task_id: str
    fence: int
    progress: float | None = None
    message: str | None = None


@dataclass(frozen=True)
class BeatAnswer:
    """Whether the claim still holds (``kept``, ``skipped``, ``lost``) and its job goes on."""

    task_id: str
    answer: str
    stopping: bool


@dataclass(frozen=True)
class StopAnswer:
    """What became of a wish to stop: ``unknown``, ``ended``, ``already``, ``stopping``, ``stopped``."""

    answer: str
    follow_ups: Sequence[FollowUp] = field(default=())
