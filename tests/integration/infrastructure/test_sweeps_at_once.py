"""Sweeps beside each other and beside workers, without the lease that keeps them apart."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event

import psycopg
import pytest
from psycopg.rows import DictRow

from core.ports.janitor import Range, Suspicion
from core.states import JobStatus
from tests.factories.engine import TWO_STAGES, EngineStore, id_of, keys
from tests.factories.janitors import Sweeper

LONG = timedelta(minutes=2)
JOBS = 20
AT_ONCE = 4


@pytest.fixture
def store(postgres_store: EngineStore) -> EngineStore:
    return postgres_store


def break_job(store: EngineStore, number: int) -> str:
    """Leave a job in one of four states that only a sweep mends."""
    name = f"job {number}"
    job_id = id_of(name)
    tasks = store.start(keys(3), name=name, stages=TWO_STAGES)
    if number % 4 == 0:
        store.wreckage.change_slot(job_id, 1, 0, open=9)
    elif number % 4 == 1:
        store.tamper.close_stage(job_id)
    elif number % 4 == 2:
        store.wreckage.lose_task(tasks[0].task_id)
    else:
        store.end_all(tasks)
        [plan] = store.claim()
        store.wreckage.lose_task(plan.task_id)
    return job_id


def at_once(work: Callable[[], object]) -> None:
    barrier = Barrier(AT_ONCE)

    def begin() -> None:
        barrier.wait(30)
        work()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(begin) for _ in range(AT_ONCE)]:
            done.result(60)


def sweep(store: EngineStore) -> None:
    rules = Sweeper(store).rules()
    for rule in (*rules["task_watchdog"], *rules["job_health"], *rules["orphan_detector"]):
        for step in rule():
            assert step.action != "could not mend", step.facts


def test_each_job_is_mended_once(store: EngineStore) -> None:
    jobs = [break_job(store, number) for number in range(JOBS)]
    store.advance(LONG)
    for job_id in jobs:
        for event in store.jobs.events(job_id, 100, 0):
            assert event.event != "mended"

    at_once(lambda: sweep(store))

    histories = [store.jobs.events(job_id, 1_000, 0) for job_id in jobs]
    assert [sum(event.event == "mended" for event in history) for history in histories] == [1] * JOBS


def test_two_runs_of_prune_share_the_work(store: EngineStore, superuser: psycopg.Connection[DictRow]) -> None:
    for number in range(JOBS):
        store.end_all(store.start(keys(5), name=f"job {number}"))
    store.advance(timedelta(days=91))

    at_once(lambda: [list(rule()) for rule in Sweeper(store).rules()["prune"]])

    left = superuser.execute(
        "SELECT (SELECT count(*) FROM app.tasks) + (SELECT count(*) FROM app.events) AS rows"
    ).fetchone()
    assert left == {"rows": 0}


def test_a_stage_is_counted_right_while_its_tasks_end(store: EngineStore) -> None:
    tasks = store.start(keys(200), slots=4)
    job_id = id_of("a")
    store.advance(LONG)
    for task in tasks:
        store.beat(task)
    ended = Event()

    def count_again() -> int:
        number = 0
        while not ended.is_set():
            store.wreckage.change_slot(job_id, 1, number % 4, open=77, completed=0)
            store.mending.mend(job_id, 1)
            number += 1
        return number

    with ThreadPoolExecutor(AT_ONCE) as pool:
        counting = pool.submit(count_again)
        workers = [
            pool.submit(lambda mine: [store.end(task) for task in mine], tasks[number::2])
            for number in range(2)
        ]
        for worker in workers:
            worker.result(60)
        ended.set()
        assert counting.result(60) > 1
    store.mending.mend(job_id, 1)

    assert store.job().status is JobStatus.COMPLETED


def test_no_ledger_looks_wrong_while_tasks_end(store: EngineStore) -> None:
    tasks = store.start(keys(200), slots=4, stages=TWO_STAGES)
    store.advance(LONG)
    ended = Event()

    def look() -> list[bool]:
        sound: list[bool] = []
        while not ended.is_set():
            found = store.mending.suspects(Suspicion.COUNTERS, timedelta(0), Range(), 10)
            sound += [suspect.sound for suspect in found]
        return sound

    with ThreadPoolExecutor(AT_ONCE) as pool:
        looking = pool.submit(look)
        pool.submit(lambda: [store.end(task) for task in tasks]).result(60)
        ended.set()

    assert set(looking.result(60)) == {True}
