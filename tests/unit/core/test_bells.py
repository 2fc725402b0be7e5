"""Bells that must not go missing: for what comes later, and for what a task did before it broke."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest
from pydantic import BaseModel

from core import codes
from core.bells import Bells
from core.declaration import PreviousResults, Stage, TaskPlan
from core.errors import Snooze, TransientError
from core.handler import TaskContext, task_handler
from core.states import Outcome
from core.submission import SubmitRequest
from infrastructure.memory.jobs import InMemoryJobRepository
from infrastructure.memory.queue import InMemoryQueue
from infrastructure.memory.state import EngineState
from infrastructure.memory.tasks import InMemoryTaskRepository
from jobs.mixins import JobBaseMixin, JobParameters
from tests.factories.clock import ManualClock
from tests.factories.engine import EngineStore
from tests.factories.memory_app import MemoryApp, memory_app
from tests.factories.moods import MoodJob, do_mood


class LosesAnswers(InMemoryTaskRepository):
    """Commits the taking of a bell and loses the answer, the first time."""

    lost = False

    def schedule_bell(self, lane: str) -> timedelta | None:
        delay = super().schedule_bell(lane)
        if not self.lost:
            self.lost = True
            raise TransientError(codes.DATABASE_UNAVAILABLE, "the answer is lost")
        return delay


def test_a_bell_whose_right_was_taken_in_doubt_is_sent_by_the_repetition(memory_store: EngineStore) -> None:
    [task] = memory_store.start()
    memory_store.end(task, Outcome.SNOOZE, delay=timedelta(minutes=1))
    state: EngineState = memory_store.tasks._state
    queue = InMemoryQueue(state.clock, ["light", "heavy"])
    bells = Bells(queue, InMemoryJobRepository(state), LosesAnswers(state), 10)

    with pytest.raises(TransientError):
        bells.schedule("light")
    bells.schedule("light")

    [bell] = queue.peek("light", 10)
    assert bell.scheduled_for == state.clock.now() + timedelta(minutes=1)


def test_a_heavy_bell_leaves_one_behind_for_what_comes_later() -> None:
    clock = ManualClock()
    terrane = memory_app([MoodJob], [replace(do_mood, lane="heavy")], clock)
    submit(terrane, mood="snoozing")
    terrane.work()
    terrane.queue.clear()
    clock.advance(timedelta(minutes=5))
    terrane.state.lanes["heavy"].bell_at = None
    submit(terrane, mood="well")

    terrane.work()

    [bell] = terrane.queue.peek("heavy", 10)
    assert bell.scheduled_for is not None
    assert clock.now() < bell.scheduled_for <= clock.now() + timedelta(minutes=5)


class Nothing(BaseModel):
    """No parameters, no result."""


class EndingJob(JobBaseMixin):
    """Two stages of a task that ends itself."""

    job_type = "ending"
    description = "Two stages of a task that ends itself."
    parameters_schema = JobParameters
    stages: ClassVar = (Stage("first", "ends_itself"), Stage("second", "ends_itself"))

    @staticmethod
    def plan_first(p: JobParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        yield TaskPlan("only")

    @staticmethod
    def plan_second(p: JobParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        yield TaskPlan("only")


@task_handler("ends_itself", lane="heavy")
def ends_itself(parameters: Nothing, context: TaskContext) -> Nothing:
    with context.transaction() as transaction:
        transaction.complete({})
    raise Snooze(timedelta(minutes=1), "too late to ask for that")


def test_what_follows_from_a_task_that_ended_itself_is_done_whatever_its_handler_meets_then() -> None:
    terrane = memory_app([EndingJob], [ends_itself], ManualClock())
    terrane.app.submission.submit(SubmitRequest("ending", {}))

    terrane.work()

    [job] = terrane.state.jobs.values()
    assert job.status == "completed"


def submit(terrane: MemoryApp, mood: str) -> None:
    terrane.app.submission.submit(SubmitRequest("mood", {"mood": mood}))
