"""Plans in either store: there whole or not at all."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from core.errors import TaskFailed, TransientError
from core.models.claims import ClaimedTask, FollowUp
from core.planning import PlanLimits, Planner
from core.ports.engine import FenceLost, JobStopping, PlannedTask, TaskFilter
from core.registry import Registry
from core.states import JobStatus, Outcome, StageStatus
from tests.factories.engine import LEASE, TWO_STAGES, EngineStore, id_of, keys, new_job, planned
from tests.factories.plans import PlanningJob, do_planned

ALL = TaskFilter()


def test_a_plan_s_tasks_are_runnable_and_counted(store: EngineStore) -> None:
    store.submit()

    ended = store.plan(keys(3))

    job = store.job()
    assert ended.follow_ups == (FollowUp("ring", "light", 3),)
    assert (job.stages[0].status, job.stages[0].tasks.total) == (StageStatus.PROCESSING, 3)
    assert job.stages[0].tasks.queued == 3
    assert [task.key for task in store.claim()] == keys(3)


def test_a_plan_tells_how_much_it_planned(store: EngineStore) -> None:
    store.submit()
    plan = store.claim_one()
    store.tasks.end_plan(plan, planned(plan, keys(3)), 1)

    record = store.task(plan)
    assert (record.status, record.result, record.progress) == ("completed", {"planned": 3}, 1.0)
    assert (record.worker, record.error) == (None, None)
    assert store.end(plan).answer == "already"


def test_a_plan_that_was_tried_before_forgets_its_fault(store: EngineStore) -> None:
    store.submit()
    store.end(store.claim_one(), Outcome.RETRY)
    plan = store.claim_one()
    store.tasks.end_plan(plan, planned(plan, keys(1)), 1)

    assert store.task(plan).error is None


@pytest.mark.parametrize(
    ("number", "slots", "open_slots"), [(1, 1, 1), (3, 1, 1), (3, 16, 3), (16, 16, 16), (40, 16, 16)]
)
def test_every_slot_that_has_tasks_must_be_emptied(
    store: EngineStore, number: int, slots: int, open_slots: int
) -> None:
    tasks = store.start(keys(number), slots=slots)

    one_per_slot = tasks[:open_slots]
    store.end_all(tasks[open_slots:])
    before = store.job()
    store.end_all(one_per_slot)

    assert before.status is JobStatus.PROCESSING
    assert store.job().status is JobStatus.COMPLETED


def test_an_empty_plan_is_the_end_of_its_stage(store: EngineStore) -> None:
    store.submit(stages=TWO_STAGES)

    ended = store.plan([])

    job = store.job()
    assert ended.follow_ups == (FollowUp("ring", "light", 1),)
    assert [stage.status for stage in job.stages] == [StageStatus.COMPLETED, StageStatus.PLANNING]
    assert (job.stage, job.stages[0].tasks.total) == (2, 0)


def test_an_empty_last_stage_completes_the_job(store: EngineStore) -> None:
    [task] = store.start(stages=TWO_STAGES)
    store.end(task)

    store.plan([])

    job = store.job()
    assert (job.status, job.progress) == (JobStatus.COMPLETED, 1.0)
    assert job.result == {
        "stages": [
            {"number": 1, "name": "first", "planned": 1, "completed": 1, "failed": 0, "cancelled": 0},
            {"number": 2, "name": "second", "planned": 0, "completed": 0, "failed": 0, "cancelled": 0},
        ]
    }


def test_a_plan_that_breaks_in_the_middle_leaves_nothing(store: EngineStore) -> None:
    store.submit()
    plan = store.claim_one()

    def broken() -> Iterator[PlannedTask]:
        yield from planned(plan, keys(5))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.tasks.end_plan(plan, broken(), 1)

    assert list(store.tasks.list_tasks(id_of("a"), ALL, 10, None)) == []
    assert store.job().stages[0].status is StageStatus.PLANNING
    assert store.statuses([plan]) == ["processing"]


def test_a_plan_that_was_overtaken_leaves_nothing(store: EngineStore) -> None:
    store.submit()
    late = store.claim_one()
    store.advance(2 * LEASE)
    store.tasks.rescue(10)
    plan = store.claim_one()

    with pytest.raises(FenceLost):
        store.tasks.end_plan(late, planned(late, keys(5)), 1)
    before = list(store.tasks.list_tasks(id_of("a"), ALL, 10, None))
    store.tasks.end_plan(plan, planned(plan, keys(3)), 1)

    assert before == []
    assert store.job().stages[0].tasks.total == 3


def test_a_plan_is_written_once(store: EngineStore) -> None:
    store.submit()
    plan = store.claim_one()
    store.tasks.end_plan(plan, planned(plan, keys(3)), 1)

    with pytest.raises(FenceLost):
        store.tasks.end_plan(plan, planned(plan, ["other"]), 1)

    assert store.job().stages[0].tasks.total == 3


def test_a_plan_of_a_stopping_job_leaves_nothing(store: EngineStore) -> None:
    store.submit()
    plan = store.claim_one()
    store.stop()

    with pytest.raises(JobStopping):
        store.tasks.end_plan(plan, planned(plan, keys(3)), 1)

    assert list(store.tasks.list_tasks(id_of("a"), ALL, 10, None)) == []


def test_tasks_come_at_the_lane_s_pace_so_that_others_get_in_between(store: EngineStore) -> None:
    store.submit("long")
    long = store.claim_one()
    store.submit("short")
    short = store.claim_one()
    store.tasks.end_plan(long, planned(long, keys(3), pace=timedelta(seconds=60)), 1)
    store.tasks.end_plan(short, planned(short, ["s"]), 1)

    order = [(task.job_id, task.key) for task in store.claim()]

    assert order == [
        (id_of("long"), "00000"),
        (id_of("short"), "s"),
        (id_of("long"), "00001"),
        (id_of("long"), "00002"),
    ]


def test_results_are_read_in_pages_in_order_of_key(store: EngineStore) -> None:
    tasks = store.start(["b", "a", "C", "d", "ä"])
    store.end_all(tasks)

    first = store.tasks.results(id_of("a"), 1, 1, "", 3)
    rest = store.tasks.results(id_of("a"), 1, 1, first[-1].key, 3)

    assert [result.key for result in [*first, *rest]] == ["C", "a", "b", "d", "ä"]
    assert first[0].result == {"key": "C"}
    assert store.tasks.results(id_of("a"), 2, 1, "", 3) == []


class TestPlanner:
    """The planner on the rows of either store."""

    def test_what_a_stage_yields_becomes_its_tasks(self, store: EngineStore) -> None:
        plan = _submit(store, {"number": 5})

        _planner(store).run(plan)

        tasks = store.claim()
        assert [task.key for task in tasks] == keys(5)
        assert tasks[0].parameters == {"index": 0}
        assert (tasks[0].max_attempts, tasks[0].lane, tasks[0].task_type) == (4, "light", "planned")

    @pytest.mark.parametrize(("number", "open_slots"), [(4, 1), (5, 3)])
    def test_a_large_stage_has_several_slots(self, store: EngineStore, number: int, open_slots: int) -> None:
        plan = _submit(store, {"number": number})
        _planner(store).run(plan)
        tasks = store.claim()

        store.end_all(tasks[:-1])
        before = store.job()
        store.end(tasks[-1])

        assert before.stages[0].tasks.completed == number - 1
        assert store.job().stages[1].status is StageStatus.PLANNING

    def test_the_next_stage_is_planned_from_every_result(self, store: EngineStore) -> None:
        _planner(store).run(_submit(store, {"number": 3}))
        store.end_all(store.claim())

        _planner(store).run(store.claim_one())

        assert [task.key for task in store.claim()] == [f"after-{key}" for key in keys(3)]

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            ("duplicate", "plan.key_duplicate"),
            ("too_large", "plan.parameters_too_large"),
            ("bug", "plan.failed"),
        ],
    )
    def test_a_plan_that_cannot_be_made_leaves_nothing(
        self, store: EngineStore, fault: str, code: str
    ) -> None:
        plan = _submit(store, {"number": 10, "fault": fault})

        with pytest.raises(TaskFailed) as caught:
            _planner(store).run(plan)

        assert caught.value.code.code == code
        assert list(store.tasks.list_tasks(id_of("a"), ALL, 10, None)) == []
        assert store.statuses([plan]) == ["processing"]

    def test_a_fault_that_passes_is_told_as_such(self, store: EngineStore) -> None:
        plan = _submit(store, {"number": 10, "fault": "passing"})

        with pytest.raises(TransientError):
            _planner(store).run(plan)

        assert list(store.tasks.list_tasks(id_of("a"), ALL, 10, None)) == []


def _submit(store: EngineStore, parameters: dict[str, object]) -> ClaimedTask:
    """Submit a `PlanningJob` and claim its plan."""
    job = new_job("a", PlanningJob.stages, job_type="planning", parameters=parameters)
    store.jobs.submit(job)
    return store.claim_one()


def _planner(store: EngineStore) -> Planner:
    limits = PlanLimits(
        one_slot_up_to=4, slots=3, pace={"light": timedelta(seconds=1), "heavy": timedelta(0)}
    )
    return Planner(Registry([PlanningJob], [do_planned]), store.jobs, store.tasks, limits)
