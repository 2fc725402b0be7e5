"""What a worker does when a bell rings, and what it sees to before it works."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from core import codes
from core.errors import TransientError
from core.handler import Lane, TaskContext, task_handler
from core.machine import CoreMachine, Draining
from core.models.claims import ClaimedTask, ClaimRequest, Ended, TaskEnd
from core.states import JobStatus, TaskStatus
from core.submission import SubmitRequest
from infrastructure.memory.tasks import InMemoryTaskRepository
from tests.factories.clock import ManualClock
from tests.factories.memory_app import MemoryApp, memory_app
from tests.factories.moods import MoodJob, MoodParameters, Nothing
from tests.factories.plans import PlanningJob, TaskParameters

SECOND = timedelta(seconds=1)


class Worker:
    """A machine on in-memory adapters, with a planned job of some tasks to do.

    Args:
        number: How many tasks the job's first stage has.
        act: What each of them does.
        lane: Their lane.
    """

    def __init__(
        self, number: int, act: Callable[[TaskContext], object] = lambda context: None, lane: Lane = "light"
    ) -> None:
        @task_handler("planned", lane=lane)
        def handler(parameters: TaskParameters, context: TaskContext) -> TaskParameters:
            act(context)
            return parameters

        self.clock = ManualClock()
        self.terrane: MemoryApp = memory_app([PlanningJob], [handler], self.clock)
        self.machine: CoreMachine = replace(self.terrane.app.machine, clock=self.clock)
        self.job_id = self.terrane.app.submission.submit(SubmitRequest("planning", {"number": number})).job_id
        [plan] = self.terrane.claim()
        self.terrane.app._executor.planner.run(plan)
        self.hear("light")

    def hear(self, lane: str) -> int:
        """Take the bells that have come in a lane and say how many they were."""
        found = 0
        while self.terrane.queue.take(lane) is not None:
            found += 1
        return found

    def tasks(self) -> list[tuple[str, TaskStatus, int]]:
        rows = [row for row in self.terrane.state.tasks.values() if row.kind == "work" and row.stage == 1]
        return [(row.key, row.status, row.attempt) for row in rows]

    @property
    def status(self) -> JobStatus:
        return self.terrane.state.jobs[self.job_id].status


class Forgetful(InMemoryTaskRepository):
    """Commits the first claim and the first end, and loses the answers."""

    def __init__(self, terrane: MemoryApp) -> None:
        super().__init__(terrane.state)
        self.lost: set[str] = set()

    def claim(self, request: ClaimRequest) -> Sequence[ClaimedTask]:
        claimed = super().claim(request)
        self._lose("claim")
        return claimed

    def end(self, ends: Sequence[TaskEnd]) -> Ended:
        ended = super().end(ends)
        self._lose("end")
        return ended

    def _lose(self, call: str) -> None:
        if call not in self.lost:
            self.lost.add(call)
            raise TransientError(codes.DATABASE_UNAVAILABLE, "the answer is lost")


@pytest.mark.parametrize("lane", ["light", "heavy"])
def test_a_bell_is_scheduled_for_when_the_lease_of_a_lone_task_ends(lane: Lane) -> None:
    scheduled: list[timedelta] = []

    @task_handler("mood", lane=lane)
    def look(parameters: MoodParameters, context: TaskContext) -> Nothing:
        bells = terrane.queue.peek(lane, 10)
        scheduled.extend(bell.scheduled_for - clock.now() for bell in bells if bell.scheduled_for)
        return Nothing()

    clock = ManualClock()
    terrane = memory_app([MoodJob], [look], clock)
    terrane.app.submission.submit(SubmitRequest("mood", {}))

    terrane.work()

    assert scheduled == [terrane.app.settings.engine.lease]


def test_a_bell_keeps_a_worker_until_its_lane_is_empty() -> None:
    worker = Worker(30)

    taken = worker.machine.answer_bell("light")

    # Two stages of thirty tasks, and the plan between them.
    assert taken == 61
    assert worker.status is JobStatus.COMPLETED


def test_a_small_job_is_found_though_the_turns_of_a_large_one_have_run_ahead() -> None:
    done: list[str] = []

    def act(context: TaskContext) -> None:
        done.append(context.task.job_id)
        worker.clock.sleep(SECOND / 10_000)
        if len(done) == 1_000:
            worker.terrane.app.submission.submit(SubmitRequest("planning", {"number": 1}))

    worker = Worker(3_000, act)

    worker.machine.answer_bell("light")

    place = next(place for place, job_id in enumerate(done) if job_id != worker.job_id)
    assert 1_000 <= place < 2_000


def test_what_is_claimed_with_a_plan_has_ended_before_the_plan_is_made() -> None:
    worker = Worker(2)
    urgent = SubmitRequest("planning", {"number": 3}, priority=9)
    worker.terrane.app.submission.submit(urgent)

    worker.machine.answer_bell("light")

    ended = [each for each in worker.terrane.state.events if each.task_id and each.event == "completed"]
    first_three = [worker.terrane.state.tasks[each.task_id].kind for each in ended[1:4]]
    assert first_three == ["work", "work", "plan"]


def test_a_bell_that_finds_nothing_takes_nothing() -> None:
    worker = Worker(1)

    assert worker.machine.answer_bell("heavy") == 0


def test_a_claim_whose_answer_was_lost_is_found_again() -> None:
    worker = Worker(3)
    machine = replace(worker.machine, tasks=Forgetful(worker.terrane))

    machine.answer_bell("light")

    assert worker.tasks() == [(f"{n:05d}", TaskStatus.COMPLETED, 1) for n in range(3)]
    assert worker.status is JobStatus.COMPLETED


def test_an_end_whose_answer_was_lost_is_rung_for_as_if_it_had_been_given() -> None:
    worker = Worker(1, lane="heavy")
    machine = replace(worker.machine, tasks=Forgetful(worker.terrane))
    worker.hear("heavy")

    machine.answer_bell("heavy")

    # The last of its stage: the plan of the next one is runnable, and only its answer said so.
    assert [status for _, status, _ in worker.tasks()] == [TaskStatus.COMPLETED]
    assert worker.hear("light") == 1


def test_a_lost_database_is_awaited_and_then_told() -> None:
    worker = Worker(1)
    worker.terrane.take_down("tasks", codes.DATABASE_UNAVAILABLE)
    machine = replace(worker.machine, tasks=worker.terrane.app.tasks)
    began = worker.clock.monotonic()

    with pytest.raises(TransientError):
        machine.answer_bell("light")

    assert worker.clock.monotonic() - began >= machine.limits.patience.total_seconds()


def test_a_fault_that_no_waiting_mends_is_told_at_once() -> None:
    worker = Worker(1)
    worker.terrane.take_down("tasks", codes.STORAGE_UNAVAILABLE)
    machine = replace(worker.machine, tasks=worker.terrane.app.tasks)

    with pytest.raises(TransientError):
        machine.answer_bell("light")

    assert worker.clock.monotonic() == 0


def test_what_takes_too_long_to_reach_is_given_back_uncounted() -> None:
    worker = Worker(4, act=lambda context: worker.clock.advance(3 * SECOND))

    worker.machine.answer_bell("light")

    released = [row.releases for row in worker.terrane.state.tasks.values() if row.stage == 1]
    assert sum(released) > 0
    assert worker.tasks() == [(f"{n:05d}", TaskStatus.COMPLETED, 1) for n in range(4)]


def test_a_worker_that_leaves_work_behind_rings_for_it() -> None:
    worker = Worker(30, act=lambda context: worker.clock.advance(3 * SECOND))

    taken = worker.machine.answer_bell("light")

    assert 0 < taken < 30
    assert worker.hear("light") > 0


def test_a_heavy_bell_is_one_task_and_rings_for_the_rest() -> None:
    worker = Worker(3, lane="heavy")
    worker.hear("heavy")

    taken = worker.machine.answer_bell("heavy")

    assert taken == 1
    assert worker.hear("heavy") == 1
    assert [status for _, status, _ in worker.tasks()].count(TaskStatus.COMPLETED) == 1


@pytest.mark.parametrize(("delivery_count", "bells"), [(1, 0), (2, 1)])
def test_a_bell_that_comes_again_rings_the_other_lane(delivery_count: int, bells: int) -> None:
    worker = Worker(2, lane="heavy")
    worker.hear("heavy")

    worker.machine.answer_bell("light", delivery_count)

    assert worker.hear("heavy") == bells


def test_a_silent_worker_s_task_is_rescued_by_the_next_bell() -> None:
    worker = Worker(1)
    worker.terrane.claim()
    worker.clock.advance(timedelta(minutes=6))

    worker.machine.answer_bell("light")

    assert worker.tasks() == [("00000", TaskStatus.COMPLETED, 1)]


def test_a_silent_worker_s_task_does_not_wait_for_the_lane_to_run_empty() -> None:
    done: list[str] = []
    worker = Worker(1, lambda context: done.append(context.task.job_id))
    worker.terrane.claim()
    worker.terrane.app.submission.submit(SubmitRequest("planning", {"number": 500}))
    worker.clock.advance(timedelta(minutes=6))

    worker.machine.answer_bell("light")

    assert done.index(worker.job_id) < 100


def test_a_drained_worker_gives_everything_back_and_its_bell_rings_again() -> None:
    def drain(context: TaskContext) -> None:
        worker.machine.drain()
        context.check()

    worker = Worker(4, act=drain)

    with pytest.raises(Draining):
        worker.machine.answer_bell("light")
    with pytest.raises(Draining):
        worker.machine.answer_bell("light")

    assert worker.tasks() == [(f"{n:05d}", TaskStatus.QUEUED, 0) for n in range(4)]
    assert not worker.machine.heart.is_holding
