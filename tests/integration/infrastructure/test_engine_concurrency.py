"""Many workers at once on PostgreSQL, each with its own connection; none wait for each other in a circle."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import psycopg
import pytest
from psycopg.rows import DictRow

from core.declaration import Location, Stage
from core.models.claims import ClaimedTask, FollowUp, TaskEnd
from core.ports.engine import FenceLost, JobStopping
from core.states import JobStatus, Outcome, StageStatus
from tests.factories.engine import (
    CANCELLATION,
    LEASE,
    TWO_STAGES,
    EngineStore,
    end_of,
    id_of,
    keys,
    planned,
)
from tests.fixtures.processes import wait_until

T = TypeVar("T")
TOLERANT = (Stage("only", "work_type", "fan_out", on_task_failure="continue"),)
NAMES = "abcdefgh"


def _together(stores: Sequence[EngineStore], act: Callable[[EngineStore, int], T]) -> list[T]:
    """Let every worker do something at the same moment; return what each got."""
    ready = threading.Barrier(len(stores), timeout=30)

    def run(number: int) -> T:
        ready.wait()
        return act(stores[number], number)

    with ThreadPoolExecutor(len(stores)) as threads:
        return list(threads.map(run, range(len(stores))))


def _started(store: EngineStore, names: str, number: int, stages: Sequence[Stage]) -> list[list[ClaimedTask]]:
    """Start jobs of so many tasks each; return their claims, job by job."""
    return [store.start(keys(number), name, stages, slots=3) for name in names]


@pytest.mark.parametrize("slots", [1, 16])
def test_of_all_who_claim_and_end_a_stage_one_is_the_last(crowd: list[EngineStore], slots: int) -> None:
    first = crowd[0]
    first.submit(stages=TWO_STAGES)
    plan = first.claim_one()
    first.tasks.end_plan(plan, planned(plan, keys(480), slots), slots)

    def work(store: EngineStore, number: int) -> tuple[list[str], list[FollowUp]]:
        chance = random.Random(number)  # noqa: S311 - a seed, no secret
        done: list[str] = []
        asked: list[FollowUp] = []
        # Whoever claims the plan of the next stage keeps it.
        while claimed := [task for task in store.claim(chance.randint(1, 20)) if task.kind == "work"]:
            chance.shuffle(claimed)
            asked += store.end_all(claimed).follow_ups
            done += [task.key for task in claimed]
        return done, asked

    answers = _together(crowd, work)

    job = first.job()
    assert sorted(key for done, _ in answers for key in done) == keys(480)
    assert [follow for _, asked in answers for follow in asked] == [FollowUp("ring", "light", 1)]
    assert [stage.status for stage in job.stages] == [StageStatus.COMPLETED, StageStatus.PLANNING]
    assert (job.stages[0].tasks.completed, job.stages[0].tasks.queued) == (480, 0)
    assert first.events().count("stage.completed") == 1


def test_ends_of_one_batch_in_opposite_orders_do_not_wait_for_each_other(crowd: list[EngineStore]) -> None:
    jobs = _started(crowd[0], NAMES, len(crowd), TWO_STAGES)
    batches = [[tasks[worker] for tasks in jobs] for worker in range(len(crowd))]

    _together(crowd, lambda store, number: store.end_all(batches[number][:: 1 if number % 2 else -1]))

    assert [crowd[0].job(name).stage for name in NAMES] == [2] * len(NAMES)


@pytest.mark.parametrize("seed", range(4))
def test_ends_of_every_kind_in_one_batch_do_not_wait_for_each_other(
    crowd: list[EngineStore], seed: int
) -> None:
    jobs = _started(crowd[0], NAMES, 4 * len(crowd), TWO_STAGES)
    chance = random.Random(seed)  # noqa: S311 - a seed, no secret
    outcomes = [Outcome.COMPLETED, Outcome.RETRY, Outcome.SNOOZE, Outcome.RELEASE, Outcome.FAILED]
    batches: list[list[TaskEnd]] = []
    for worker in range(len(crowd)):
        mine = [task for tasks in jobs for task in tasks[worker :: len(crowd)]]
        chance.shuffle(mine)
        batches.append([end_of(task, chance.choice(outcomes)) for task in mine])

    answers = _together(crowd, lambda store, number: store.tasks.end(batches[number]).answers)

    assert {answer.answer for batch in answers for answer in batch} == {"ended"}
    for name in NAMES:
        counts = crowd[0].job(name).stages[0].tasks
        assert counts.queued + counts.processing + counts.ended == counts.total == 4 * len(crowd)
        crowd[0].cancel_queued(name)
    assert {crowd[0].job(name).status for name in NAMES} == {JobStatus.FAILED}


def test_many_rescuers_end_each_claim_once(crowd: list[EngineStore]) -> None:
    [tasks] = _started(crowd[0], "a", 200, TOLERANT)
    crowd[0].advance(2 * LEASE)

    def rescue(store: EngineStore, number: int) -> list[str]:
        found: list[str] = []
        while answers := store.tasks.rescue(20).answers:
            assert {answer.answer for answer in answers} == {"ended"}
            found += [answer.task_id for answer in answers]
        return found

    rescued = [name for found in _together(crowd, rescue) for name in found]

    assert sorted(rescued) == sorted(task.task_id for task in tasks)
    assert crowd[0].job().stages[0].tasks.queued == 200


def test_rescuers_beside_the_workers_that_they_think_dead(crowd: list[EngineStore]) -> None:
    [tasks] = _started(crowd[0], "a", 240, TOLERANT)
    crowd[0].advance(2 * LEASE)

    def act(store: EngineStore, number: int) -> list[str]:
        if number % 2:
            while store.tasks.rescue(10).answers:
                pass
            return []
        mine = tasks[number // 2 :: len(crowd) // 2]
        return [answer.answer for answer in store.end_all(mine).answers]

    answers = Counter(answer for found in _together(crowd, act) for answer in found)

    counts = crowd[0].job().stages[0].tasks
    assert sum(answers.values()) == 240
    assert set(answers) <= {"ended", "already"}
    assert (counts.completed, counts.queued) == (answers["ended"], answers["already"])


@pytest.mark.parametrize("attempt", range(5))
def test_a_planner_beside_a_stop_leaves_nothing_to_do(crowd: list[EngineStore], attempt: int) -> None:
    names = NAMES[: len(crowd) // 2]
    plans = {}
    for name in names:
        crowd[0].submit(name, TWO_STAGES)
        plans[name] = crowd[0].claim_one()

    def act(store: EngineStore, number: int) -> None:
        name = names[number // 2]
        if number % 2:
            store.stop(name)
            store.cancel_queued(name)
            return
        try:
            store.tasks.end_plan(plans[name], planned(plans[name], keys(40), 4), 4)
        except JobStopping:
            store.end(plans[name], Outcome.CANCELLED)

    _together(crowd, act)

    assert {crowd[0].job(name).status for name in names} == {JobStatus.CANCELLED}
    assert crowd[0].claim() == []


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.SNOOZE, Outcome.RELEASE])
def test_what_is_put_back_beside_a_stop_is_cancelled(crowd: list[EngineStore], outcome: Outcome) -> None:
    jobs = _started(crowd[0], NAMES, 24, TOLERANT)

    def act(store: EngineStore, number: int) -> None:
        name, tasks = NAMES[number // 2], jobs[number // 2]
        if number % 2:
            store.stop(name)
            store.cancel_queued(name)
            return
        for task in tasks:
            store.end(task, outcome)

    _together(crowd, act)

    assert {crowd[0].job(name).status for name in NAMES} == {JobStatus.CANCELLED}
    crowd[0].advance(timedelta(hours=1))
    assert crowd[0].claim() == []


def test_claims_beside_a_stop_end_with_the_job(crowd: list[EngineStore]) -> None:
    for name in NAMES:
        crowd[0].submit(name)
    for plan in crowd[0].claim():
        crowd[0].tasks.end_plan(plan, planned(plan, keys(24)), 1)

    def act(store: EngineStore, number: int) -> None:
        if number % 2:
            store.stop(NAMES[number // 2])
            store.cancel_queued(NAMES[number // 2], limit=5)
            return
        while claimed := store.claim(7):
            store.end_all(claimed, Outcome.CANCELLED if claimed[0].stopping else Outcome.COMPLETED)

    _together(crowd, act)

    statuses = {crowd[0].job(name).status for name in NAMES}
    assert statuses <= {JobStatus.CANCELLED, JobStatus.COMPLETED}
    assert crowd[0].claim() == []
    for name in NAMES:
        assert crowd[0].job(name).stages[0].tasks.ended == 24


class TestDuplicates:
    """Every call by everybody at once: it applies once, and all learn how."""

    def test_ends(self, crowd: list[EngineStore]) -> None:
        [tasks] = _started(crowd[0], "a", 50, TWO_STAGES)

        answers = _together(crowd, lambda store, _: store.end_all(tasks))

        found = Counter(answer.answer for ended in answers for answer in ended.answers)
        assert found == {"ended": 50, "already": 50 * (len(crowd) - 1)}
        assert [follow for ended in answers for follow in ended.follow_ups] == [FollowUp("ring", "light", 1)]
        assert crowd[0].job().stages[0].tasks.completed == 50

    def test_plans(self, crowd: list[EngineStore]) -> None:
        crowd[0].submit()
        plan = crowd[0].claim_one()

        def end(store: EngineStore, number: int) -> bool:
            try:
                store.tasks.end_plan(plan, planned(plan, keys(50), 4), 4)
            except FenceLost:
                return False
            return True

        assert sum(_together(crowd, end)) == 1
        assert crowd[0].job().stages[0].tasks.total == 50

    def test_stops(self, crowd: list[EngineStore]) -> None:
        [tasks] = _started(crowd[0], "a", 50, TWO_STAGES)

        answers = _together(crowd, lambda store, _: store.stop())
        _together(crowd, lambda store, _: store.cancel_queued(limit=7))
        crowd[0].end_all(tasks, Outcome.CANCELLED)

        assert sorted(answers) == ["already"] * (len(crowd) - 1) + ["stopping"]
        assert crowd[0].job().status is JobStatus.CANCELLED
        assert crowd[0].events().count("job.cancelled") == 1

    def test_stops_of_a_queued_job(self, crowd: list[EngineStore]) -> None:
        crowd[0].submit(has_intermediates=True)

        answers = _together(crowd, lambda store, _: store.stop())

        assert sorted(answers) == ["ended"] * (len(crowd) - 1) + ["stopped"]
        assert [task.kind for task in crowd[0].claim()] == ["cleanup"]

    def test_cancel_batches(self, crowd: list[EngineStore]) -> None:
        crowd[0].submit()
        crowd[0].plan(keys(60), slots=4)
        crowd[0].jobs.stop(id_of("a"), "cancelled", CANCELLATION, "tester")

        _together(crowd, lambda store, _: store.cancel_queued(limit=7))

        job = crowd[0].job()
        assert (job.status, job.stages[0].tasks.cancelled) == (JobStatus.CANCELLED, 60)

    def test_expiries(self, crowd: list[EngineStore]) -> None:
        crowd[0].submit(stages=TOLERANT)
        crowd[0].plan(keys(60), slots=4, give_up_after=timedelta(minutes=1))
        crowd[0].advance(timedelta(minutes=2))

        def expire(store: EngineStore, number: int) -> int:
            total = 0
            while answers := store.tasks.expire(7).answers:
                total += len(answers)
            return total

        assert sum(_together(crowd, expire)) == 60
        assert crowd[0].job().status is JobStatus.FAILED

    def test_beats(self, crowd: list[EngineStore]) -> None:
        [tasks] = _started(crowd[0], "a", 50, TOLERANT)

        answers = _together(crowd, lambda store, _: store.beat(*tasks))

        # A row that another beat holds is skipped, never lost.
        assert {answer.answer for found in answers for answer in found} <= {"kept", "skipped"}
        assert {answer.answer for answer in crowd[0].beat(*tasks)} == {"kept"}

    def test_scheduled_bells(self, crowd: list[EngineStore]) -> None:
        [[task]] = _started(crowd[0], "a", 1, TOLERANT)
        crowd[0].end(task, Outcome.SNOOZE, delay=timedelta(minutes=10))

        delays = _together(crowd, lambda store, _: store.tasks.schedule_bell("light"))

        assert sum(delay is not None for delay in delays) == 1

    def test_effects_that_end_their_task(self, crowd: list[EngineStore]) -> None:
        crowd[0].submit(reservations=[Location("item", "c/i")])
        crowd[0].plan(["k"])
        task = crowd[0].claim_one()

        def publish(store: EngineStore, number: int) -> bool:
            try:
                with store.effects.transaction(task) as transaction:
                    transaction.publish()
                    transaction.complete({"by": number})
            except FenceLost:
                return False
            return True

        done = _together(crowd, publish)

        assert sum(done) == 1
        assert crowd[0].job().result == {"by": done.index(True)}
        live = crowd[0].effects.live_artifact("item", "c/i")
        assert live is not None
        assert live.job_id == id_of("a")


def test_a_claim_that_began_before_the_job_was_there_is_held_by_whoever_took_it(
    crowd: list[EngineStore], superuser: psycopg.Connection[DictRow]
) -> None:
    claimer, submitter = crowd[:2]

    def waits_for(table: str) -> bool:
        query = "SELECT FROM pg_locks WHERE relation = %s::regclass AND NOT granted"
        return superuser.execute(query, [table]).fetchone() is not None

    with ThreadPoolExecutor(2) as threads:
        with superuser.transaction():
            # A claim looks first whether claiming is paused, a submission writes its stages last.
            superuser.execute("LOCK TABLE app.engine IN ACCESS EXCLUSIVE MODE")
            with superuser.transaction() as until_both_have_begun:
                superuser.execute("LOCK TABLE app.stages IN ACCESS EXCLUSIVE MODE")
                submitting = threads.submit(submitter.submit, "late")
                wait_until(lambda: waits_for("app.stages"), 30)
                claiming = threads.submit(claimer.claim)
                wait_until(lambda: waits_for("app.engine"), 30)
                raise psycopg.Rollback(until_both_have_begun)
            submitting.result(timeout=30)
        claimed = claiming.result(timeout=30)

    assert [task.job_id for task in claimed] == [id_of("late")]
