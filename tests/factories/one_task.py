"""An app in memory whose one handler does what a test says."""

from collections.abc import Callable

from pydantic import BaseModel

from core.declaration import Stage, TaskPlan
from core.handler import TaskContext, task_handler
from core.ports.clock import Clock
from jobs.mixins import JobBaseMixin, JobParameters
from tests.factories.memory_app import MemoryApp, memory_app

Act = Callable[[TaskContext], object]


class Nothing(BaseModel):
    """No parameters, no result."""


class OneTask(JobBaseMixin):
    """One task that does what the test says."""

    job_type = "one_task"
    description = "One task that does what the test says."
    parameters_schema = JobParameters
    stages = (Stage("only", task_type="act"),)

    @staticmethod
    def plan_only(p: JobParameters, previous: object) -> list[TaskPlan]:
        """Plan the task."""
        return [TaskPlan("only")]


def acting(act: Act, clock: Clock | None = None, *, max_attempts: int = 5) -> MemoryApp:
    """Compose the app with a handler that does `act`."""

    @task_handler("act", max_attempts=max_attempts)
    def handler(parameters: Nothing, context: TaskContext) -> Nothing:
        act(context)
        return Nothing()

    return memory_app([OneTask], [handler], clock)
