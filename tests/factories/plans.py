"""A job type whose planner does as it is told."""

from collections.abc import Iterable
from typing import ClassVar, Literal

from pydantic import BaseModel

from core import codes
from core.declaration import PreviousResults, Stage, TaskPlan
from core.errors import TransientError
from core.handler import TaskContext, task_handler
from jobs.mixins import JobBaseMixin, JobParameters

Fault = Literal["none", "duplicate", "too_large", "bug", "passing"]


class PlanParameters(JobParameters):
    """How many tasks the first stage has, and what is wrong with its last one."""

    number: int = 1
    fault: Fault = "none"


class TaskParameters(BaseModel):
    """Which of the tasks this is."""

    index: int = 0


class PlanningJob(JobBaseMixin):
    """A stage of some tasks, and one with a task for each result."""

    job_type = "planning"
    description = "A stage of some tasks, and one with a task for each result."
    parameters_schema = PlanParameters
    stages: ClassVar = (
        Stage("first", task_type="planned", parallelism="fan_out"),
        Stage("second", task_type="planned", parallelism="fan_out"),
    )

    @staticmethod
    def plan_first(p: PlanParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Plan the tasks, and break at the last one if told so."""
        for index in range(p.number):
            yield TaskPlan(f"{index:05d}", {"index": index})
        if p.fault == "duplicate":
            yield TaskPlan("00000")
        if p.fault == "too_large":
            yield TaskPlan("large", {"text": "x" * 70_000})
        if p.fault == "bug":
            raise ZeroDivisionError
        if p.fault == "passing":
            raise TransientError(codes.STORAGE_UNAVAILABLE, "storage.test does not answer.")

    @staticmethod
    def plan_second(p: PlanParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Plan a task for each result."""
        for result in previous:
            yield TaskPlan(f"after-{result.key}")


@task_handler("planned", max_attempts=4)
def do_planned(parameters: TaskParameters, context: TaskContext) -> TaskParameters:
    """Return what was planned."""
    return parameters
