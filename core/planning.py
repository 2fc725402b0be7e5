"""Planning a stage: a task like any other, streamed, whole or not at all."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, islice

from core import codes, identity
from core.declaration import JobType, Parallelism, Stage, TaskPlan, TaskResult
from core.errors import TaskFailed, TransientError
from core.handler import Lane
from core.json import dumps
from core.models.claims import ClaimedTask, Ended
from core.models.records import JobRecord
from core.ports.engine import JobRepository, PlannedTask, TaskRepository
from core.registry import AnyHandler, Registry

_PAGE = 1_000
_MOST_PARAMETER_BYTES = 64 * 1024


@dataclass(frozen=True)
class PagedResults:
    """The results of a stage in order of key, read page by page; see `PreviousResults`."""

    tasks: TaskRepository
    job_id: str
    revision: int
    stage: int

    def __iter__(self) -> Iterator[TaskResult]:
        """Yield every result."""
        after = ""
        while True:
            page = self.tasks.results(self.job_id, self.revision, self.stage, after, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].key

    def one(self) -> TaskResult:
        """Return the only result.

        Raises:
            ValueError: There is none, or more than one.
        """
        found = list(islice(iter(self), 2))
        if len(found) != 1:
            raise ValueError(f"stage {self.stage} has {'more than one' if found else 'no'} result")
        return found[0]


@dataclass(frozen=True)
class PlanLimits:
    """How plans are laid out.

    Args:
        one_slot_up_to: Largest stage that is counted in one slot.
        slots: Slots of a larger one.
        pace: By lane, how far the turns of neighbours lie apart.
    """

    one_slot_up_to: int
    slots: int
    pace: dict[Lane, timedelta]


@dataclass(frozen=True)
class Planner:
    """Runs plan tasks.

    Args:
        registry: Job types and handlers.
        jobs: For the job's parameters.
        tasks: For earlier results, and for the rows of the plan.
        limits: The layout.
    """

    registry: Registry
    jobs: JobRepository
    tasks: TaskRepository
    limits: PlanLimits

    def run(self, claim: ClaimedTask) -> Ended:
        """Plan a stage and end its plan task.

        Raises:
            TransientError: Something outside did not answer; the plan is tried again.
            TaskFailed: The plan cannot be made; the job fails with it.
            FenceLost: Somebody else has the plan task now.
            JobStopping: The job is stopping.
        """
        record = self.jobs.get(claim.job_id)
        if record is None:
            raise TaskFailed(codes.PLAN_FAILED, f"Job {claim.job_id} is gone.")
        job = self.registry.job(record.job_type)
        stage = next(stage for stage in job.stages if stage.name == record.stages[claim.stage - 1].name)
        self._check_needs(record, stage, claim.stage)
        handler = self.registry.handlers[stage.task_type]
        plans = self._plans(job, record, stage, claim)
        head = list(islice(plans, self.limits.one_slot_up_to + 1))
        slots = self.limits.slots if len(head) > self.limits.one_slot_up_to else 1
        return self.tasks.end_plan(claim, self._rows(claim, handler, chain(head, plans), slots), slots)

    def _check_needs(self, record: JobRecord, stage: Stage, number: int) -> None:
        if stage.parallelism is not Parallelism.FAN_IN or number < 2:
            return
        before = record.stages[number - 2].tasks
        needed = before.total if stage.needs is None else min(stage.needs, before.total)
        if before.completed < needed:
            raise TaskFailed(
                codes.STAGE_NEEDS,
                f"Stage {stage.name} needs {needed} results of stage {number - 1}; "
                f"there are {before.completed}.",
            )

    def _plans(self, job: JobType, record: JobRecord, stage: Stage, claim: ClaimedTask) -> Iterator[TaskPlan]:
        previous = PagedResults(self.tasks, claim.job_id, claim.revision, claim.stage - 1)
        parameters = job.parameters_schema.model_validate(record.parameters)
        try:
            plans: Iterable[TaskPlan] = job.plan(stage.name, parameters, previous)
            yield from _checked(plans, stage)
        except (TransientError, TaskFailed):
            raise
        except Exception as error:
            # A planner is the job type's own code: whatever it raises is its bug, told as such.
            raise TaskFailed(codes.PLAN_FAILED, f"{stage.name}: {type(error).__name__}: {error}") from error

    def _rows(
        self, claim: ClaimedTask, handler: AnyHandler, plans: Iterable[TaskPlan], slots: int
    ) -> Iterator[PlannedTask]:
        pace = self.limits.pace[handler.lane]
        for position, plan in enumerate(plans):
            yield PlannedTask(
                task_id=identity.task_id(claim.job_id, claim.revision, claim.stage, "work", plan.key),
                key=plan.key,
                position=position,
                slot=position % slots,
                task_type=handler.task_type,
                lane=handler.lane,
                max_attempts=handler.max_attempts,
                give_up_after=handler.give_up_after,
                pace=pace,
                parameters=plan.parameters,
            )


def _checked(plans: Iterable[TaskPlan], stage: Stage) -> Iterator[TaskPlan]:
    keys: set[str] = set()
    for plan in plans:
        if plan.key in keys:
            raise TaskFailed(
                codes.PLAN_KEY_DUPLICATE, f"Stage {stage.name} plans the key {plan.key!r} twice."
            )
        keys.add(plan.key)
        nbytes = len(dumps(plan.parameters).encode())
        if nbytes > _MOST_PARAMETER_BYTES:
            raise TaskFailed(
                codes.PLAN_PARAMETERS_TOO_LARGE,
                f"Stage {stage.name}, key {plan.key!r}: the parameters take {nbytes} bytes.",
            )
        yield plan
    if stage.parallelism is not Parallelism.FAN_OUT and len(keys) != 1:
        raise TaskFailed(
            codes.PLAN_FAILED,
            f"Stage {stage.name} is {stage.parallelism} and plans {len(keys)} tasks.",
        )
