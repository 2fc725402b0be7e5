"""A job type whose one task ends as it is told."""

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel

from core import codes
from core.declaration import PreviousResults, Stage, TaskPlan
from core.errors import Snooze, TaskFailed, TransientError
from core.handler import TaskContext, task_handler
from jobs.mixins import JobBaseMixin, JobParameters

Mood = Literal["well", "failing", "retrying", "snoozing", "broken"]


class MoodParameters(JobParameters):
    """How the task ends, and which of several equal jobs this is."""

    mood: Mood = "well"
    number: int = 0


class Nothing(BaseModel):
    """No result to speak of."""


class MoodJob(JobBaseMixin):
    """One task that ends as it is told."""

    job_type = "mood"
    description = "One task that ends as it is told."
    parameters_schema = MoodParameters
    stages: ClassVar = (Stage("only", task_type="mood"),)

    @staticmethod
    def plan_only(p: MoodParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Plan the task."""
        yield TaskPlan("only", p.model_dump())


@task_handler("mood")
def do_mood(parameters: MoodParameters, context: TaskContext) -> Nothing:
    """End as told."""
    if parameters.mood == "failing":
        raise TaskFailed(codes.BLOB_EMPTY, "bronze/a.tif has no bytes.")
    if parameters.mood == "retrying":
        raise TransientError(codes.STORAGE_UNAVAILABLE, "storage.test does not answer.")
    if parameters.mood == "snoozing":
        raise Snooze(timedelta(minutes=10), "waiting for the pipeline")
    if parameters.mood == "broken":
        raise RuntimeError("a bug")
    return Nothing()
