"""The engine's stores in one shape, so that one suite runs against each, and what to put in them."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any, Protocol

from core import identity
from core.declaration import Stage
from core.json import JsonObject
from core.models.claims import (
    Beat,
    BeatAnswer,
    ClaimedTask,
    ClaimRequest,
    EndAnswer,
    Ended,
    FollowUp,
    TaskEnd,
)
from core.models.records import JobRecord, TaskRecord, ViolationRecord
from core.models.submissions import NewJob, SubmitAnswer
from core.ports.catalogue import CatalogueReader
from core.ports.effects import Effects
from core.ports.engine import JobRepository, PlannedTask, TaskRepository
from core.ports.janitor import Mending, SweepRuns
from core.ports.unpublishing import Unpublishing
from core.states import Outcome
from tests.factories.wreckage import Wreckage

LEASE = timedelta(seconds=45)
MAX_RESCUES = 5
ONE_STAGE = (Stage("only", "work_type", "fan_out"),)
TWO_STAGES = (Stage("first", "work_type", "fan_out"), Stage("second", "work_type", "fan_out"))
FAULT: JsonObject = {"code": "test.fault", "message": "It broke."}
CANCELLATION: JsonObject = {"code": "job.cancelled", "message": "Somebody cancelled it."}

_NUMBERS = count(1)


def id_of(name: str) -> str:
    """Return the id of the job that tests call `name`."""
    return hashlib.sha256(name.encode()).hexdigest()


def new_job(name: str = "a", stages: Sequence[Stage] = ONE_STAGE, **options: Any) -> NewJob:
    """Return a submission, as the service would hand it to the store."""
    job = NewJob(id_of(name), "test_job", "for_ever", {"name": name}, stages)
    return replace(job, **options)


def planned(plan: ClaimedTask, keys: Iterable[str], slots: int = 1, **options: Any) -> Iterable[PlannedTask]:
    """Yield the rows of a plan, as the planner would."""
    for position, key in enumerate(keys):
        task = PlannedTask(
            task_id=identity.task_id(plan.job_id, plan.revision, plan.stage, "work", key),
            key=key,
            position=position,
            slot=position % slots,
            task_type="work_type",
            lane="light",
            max_attempts=3,
            give_up_after=timedelta(hours=24),
            pace=timedelta(milliseconds=2),
            parameters={"key": key},
        )
        yield replace(task, **options)


def keys(number: int) -> list[str]:
    """Return `number` keys in order."""
    return [f"{index:05d}" for index in range(number)]


def end_of(task: ClaimedTask, outcome: Outcome, **fields: Any) -> TaskEnd:
    """Return an end of a claim."""
    if outcome in (Outcome.FAILED, Outcome.RETRY):
        fields.setdefault("error", FAULT)
    if outcome is Outcome.COMPLETED:
        fields.setdefault("result", {"key": task.key})
    return TaskEnd(task.task_id, task.fence, outcome, **fields)


class Tamper(Protocol):
    """What no call of the engine does: rows as a bug or a hand would leave them."""

    def close_stage(self, job_id: str) -> None:
        """Leave a job's running stage without an open slot, its tasks cancelled."""
        ...

    def forget_tasks(self, job_id: str) -> None:
        """Lose every task of a job."""
        ...

    def unpublish(self, job_id: str) -> None:
        """Say that what a job published was taken back."""
        ...


@dataclass
class EngineStore:
    """Repositories and effects on the same rows.

    Args:
        jobs: The jobs.
        tasks: The tasks, with `MAX_RESCUES`.
        effects: The effects.
        catalogue: What effects write to.
        advance: Lets time pass for the rows: their instants lie that much further back.
        tamper: Breaks rows.
        runs: The janitor's lease and records.
        mending: What the janitor's rules ask and do.
        wreckage: Changes rows by hand.
        unpublishing: The audit of what was taken back.
    """

    jobs: JobRepository
    tasks: TaskRepository
    effects: Effects
    catalogue: CatalogueReader
    advance: Callable[[timedelta], None]
    tamper: Tamper
    runs: SweepRuns
    mending: Mending
    wreckage: Wreckage
    unpublishing: Unpublishing

    def submit(self, name: str = "a", stages: Sequence[Stage] = ONE_STAGE, **options: Any) -> SubmitAnswer:
        return self.jobs.submit(new_job(name, stages, **options))

    def request(self, limit: int = 1, lane: str = "light", **options: Any) -> ClaimRequest:
        return replace(ClaimRequest(lane, limit, "worker", f"claim-{next(_NUMBERS)}", LEASE), **options)

    def claim(self, limit: int = 100, lane: str = "light", **options: Any) -> list[ClaimedTask]:
        return list(self.tasks.claim(self.request(limit, lane, **options)))

    def claim_one(self, lane: str = "light") -> ClaimedTask:
        [task] = self.claim(1, lane)
        return task

    def plan(self, keys: Iterable[str], slots: int = 1, **options: Any) -> Ended:
        """Claim the one plan task that is runnable and end it with these tasks."""
        plan = self.claim_one()
        assert plan.kind == "plan"
        return self.tasks.end_plan(plan, planned(plan, keys, slots, **options), slots)

    def start(
        self,
        keys: Iterable[str] = ("k",),
        name: str = "a",
        stages: Sequence[Stage] = ONE_STAGE,
        **options: Any,
    ) -> list[ClaimedTask]:
        """Submit a job, plan its first stage and claim all of it, in order of key."""
        self.submit(name, stages)
        self.plan(keys, **options)
        return sorted(self.claim(10_000), key=lambda task: task.key)

    def end(self, task: ClaimedTask, outcome: Outcome = Outcome.COMPLETED, **fields: Any) -> EndAnswer:
        [answer] = self.tasks.end([end_of(task, outcome, **fields)]).answers
        return answer

    def end_all(self, tasks: Iterable[ClaimedTask], outcome: Outcome = Outcome.COMPLETED) -> Ended:
        return self.tasks.end([end_of(task, outcome) for task in tasks])

    def stop(self, name: str = "a", to: str = "cancelled") -> str:
        return self.jobs.stop(id_of(name), to, CANCELLATION, "tester").answer

    def cancel_queued(self, name: str = "a", revision: int = 1, limit: int = 100) -> list[FollowUp]:
        """Cancel every queued task of a stopping job in batches."""
        follow_ups: list[FollowUp] = []
        key: str | None = ""
        while key is not None:
            key, more = self.jobs.cancel_queued(id_of(name), revision, key, limit)
            follow_ups += more
        return follow_ups

    def beat(
        self, *tasks: ClaimedTask, progress: float | None = None, message: str | None = None
    ) -> list[BeatAnswer]:
        beats = [Beat(task.task_id, task.fence, progress, message) for task in tasks]
        return sorted(self.tasks.beat(beats, LEASE), key=lambda answer: answer.task_id)

    def job(self, name: str = "a") -> JobRecord:
        record = self.jobs.get(id_of(name))
        assert record is not None
        return record

    def task(self, claim: ClaimedTask) -> TaskRecord:
        record = self.tasks.get(claim.task_id)
        assert record is not None
        return record

    def statuses(self, claims: Iterable[ClaimedTask]) -> list[str]:
        return [self.task(claim).status for claim in claims]

    def events(self, name: str = "a") -> list[str]:
        """Return the history of a job as ``subject.event``."""
        return [f"{event.subject}.{event.event}" for event in self.jobs.events(id_of(name), 1_000, 0)]

    def violations(self) -> list[ViolationRecord]:
        return list(self.jobs.violations(100))
