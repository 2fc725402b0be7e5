"""What a planner may yield, and what it is given of the stage before."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import ClassVar

import pytest

from core import codes
from core.declaration import PreviousResults, Stage, TaskPlan
from core.errors import TaskFailed
from core.planning import PagedResults, PlanLimits, Planner
from core.registry import Registry
from core.states import Outcome, StageStatus
from jobs.mixins import JobBaseMixin, JobParameters
from tests.factories.engine import EngineStore, id_of, keys, new_job
from tests.factories.plans import PlanningJob, do_planned

LIMITS = PlanLimits(256, 16, {"light": timedelta(milliseconds=2), "heavy": timedelta(seconds=1)})


class FanParameters(JobParameters):
    """How many tasks the stage plans that should have one."""

    number: int = 1


def _fan_job(second: Stage) -> type[JobBaseMixin]:
    class FanJob(JobBaseMixin):
        """A stage of tasks, and one that reads what they left."""

        job_type = "fan"
        description = "A stage of tasks, and one that reads what they left."
        parameters_schema = FanParameters
        stages: ClassVar = (
            Stage("first", "planned", "fan_out", on_task_failure="continue"),
            second,
        )

        @staticmethod
        def plan_first(p: FanParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
            """Plan nothing: the tests do it."""
            return ()

        @staticmethod
        def plan_second(p: FanParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
            """Plan as many tasks as told."""
            for number in range(p.number):
                yield TaskPlan(str(number))

    return FanJob


def _plan_second(store: EngineStore, second: Stage, outcomes: Sequence[Outcome], number: int = 1) -> None:
    """Let the first stage's tasks end like this and plan the second."""
    job = _fan_job(second)
    parameters = {"number": number}
    store.jobs.submit(new_job("a", job.stages, job_type="fan", parameters=parameters))
    store.plan(keys(len(outcomes)))
    for task, outcome in zip(store.claim(), outcomes, strict=True):
        store.end(task, outcome)
    planner = Planner(Registry([job], [do_planned]), store.jobs, store.tasks, LIMITS)
    planner.run(store.claim_one())


@pytest.mark.parametrize(
    ("needs", "completed", "failed", "goes_on"),
    [
        (None, 3, 0, True),
        (None, 2, 1, False),
        (2, 2, 1, True),
        (2, 1, 2, False),
        (9, 3, 0, True),
        (9, 2, 1, False),
    ],
)
def test_a_stage_that_gathers_says_how_many_results_it_needs(
    memory_store: EngineStore, needs: int | None, completed: int, failed: int, goes_on: bool
) -> None:
    outcomes = [Outcome.COMPLETED] * completed + [Outcome.FAILED] * failed
    second = Stage("second", "planned", "fan_in", needs=needs)

    if goes_on:
        _plan_second(memory_store, second, outcomes)
        assert memory_store.job().stages[1].status is StageStatus.PROCESSING
    else:
        with pytest.raises(TaskFailed, match=f"results of stage 1; there are {completed}") as caught:
            _plan_second(memory_store, second, outcomes)
        assert caught.value.code is codes.STAGE_NEEDS


@pytest.mark.parametrize("parallelism", ["single", "fan_in"])
@pytest.mark.parametrize("number", [0, 2])
def test_a_stage_of_one_task_plans_one(memory_store: EngineStore, parallelism: str, number: int) -> None:
    second = Stage("second", "planned", parallelism)  # type: ignore[arg-type]  # a name of the enum

    with pytest.raises(TaskFailed, match=f"second is {parallelism} and plans {number} tasks") as caught:
        _plan_second(memory_store, second, [Outcome.COMPLETED], number)

    assert caught.value.code is codes.PLAN_FAILED
    assert memory_store.job().stages[1].status is StageStatus.PLANNING


def test_a_job_that_is_gone_cannot_be_planned(memory_store: EngineStore) -> None:
    memory_store.submit()
    plan = memory_store.claim_one()
    planner = Planner(Registry([PlanningJob], [do_planned]), memory_store.jobs, memory_store.tasks, LIMITS)
    gone = type(plan)(**{**vars(plan), "job_id": id_of("gone")})

    with pytest.raises(TaskFailed, match="is gone"):
        planner.run(gone)


def test_results_are_read_page_by_page_and_all_of_them(memory_store: EngineStore) -> None:
    memory_store.end_all(memory_store.start(keys(2_500)))

    results = PagedResults(memory_store.tasks, id_of("a"), 1, 1)

    assert [result.key for result in results] == keys(2_500)


def test_the_only_result_is_had_by_itself(memory_store: EngineStore) -> None:
    memory_store.end_all(memory_store.start(["k"]))
    memory_store.end_all(memory_store.start(keys(2), name="b"))

    assert PagedResults(memory_store.tasks, id_of("a"), 1, 1).one().result == {"key": "k"}
    with pytest.raises(ValueError, match="more than one result"):
        PagedResults(memory_store.tasks, id_of("b"), 1, 1).one()
    with pytest.raises(ValueError, match="stage 1 has no result"):
        PagedResults(memory_store.tasks, id_of("nobody"), 1, 1).one()
