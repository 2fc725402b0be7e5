"""Every law of `app.violations`, broken on purpose in either store."""

from datetime import timedelta

import pytest

from core.states import JobStatus, Outcome
from tests.factories.engine import LEASE, EngineStore, id_of, keys

MINUTE = timedelta(minutes=1)
PATIENCE = timedelta(minutes=6)


def _codes(store: EngineStore) -> list[tuple[str, str | None]]:
    found = store.violations()
    assert store.jobs.count_violations() == len(found)
    return sorted((row.code, row.job_id) for row in found)


def test_a_healthy_engine_has_none(store: EngineStore) -> None:
    done, waiting, _ = store.start(keys(3))
    store.end(done)
    store.end(waiting, Outcome.SNOOZE, delay=timedelta(hours=1))
    store.submit("b")

    assert _codes(store) == []


def test_a_silent_worker_that_nobody_rescues(store: EngineStore) -> None:
    task, alive = store.start(keys(2))
    store.advance(LEASE + PATIENCE - MINUTE)
    early = _codes(store)
    store.advance(2 * MINUTE)
    store.beat(alive)

    [row] = store.violations()

    assert early == []
    assert (row.code, row.job_id, row.task_id) == ("lease.expired", id_of("a"), task.task_id)
    assert "worker" in row.what
    assert row.overdue_seconds == pytest.approx(420, abs=30)


@pytest.mark.parametrize("served", [False, True])
def test_a_lane_whose_work_nobody_takes(store: EngineStore, served: bool) -> None:
    if served:
        store.submit("before")
        store.plan([])
    store.submit()
    store.advance(PATIENCE - MINUTE)
    early = _codes(store)
    store.advance(2 * MINUTE)

    [row] = store.violations()

    assert early == []
    assert (row.code, row.job_id, row.task_id) == ("lane.silent", None, None)
    assert row.what == "lane light has runnable tasks and has claimed nothing"
    assert row.overdue_seconds == pytest.approx(420, abs=30)


def test_a_lane_whose_workers_are_all_busy_breaks_no_law(store: EngineStore) -> None:
    [busy] = store.start(["k"])
    store.submit("waits")
    for _ in range(int(4 * PATIENCE / LEASE)):
        store.advance(LEASE / 2)
        store.beat(busy)

    assert _codes(store) == []


def test_a_paused_lane_breaks_no_law(store: EngineStore) -> None:
    store.submit()
    store.tasks.pause("maintenance", "tester", None)
    store.advance(2 * PATIENCE)

    assert _codes(store) == []


def test_a_queued_task_past_its_deadline(store: EngineStore) -> None:
    store.submit()
    store.plan(["k"], give_up_after=MINUTE)
    store.advance(MINUTE + PATIENCE + MINUTE)

    found = _codes(store)
    ended = store.tasks.expire(10)

    assert found == [("lane.silent", None), ("task.past_deadline", id_of("a"))]
    assert len(ended.answers) == 1
    assert _codes(store) == []


def test_a_stage_without_an_open_task_whose_job_has_not_moved_on(store: EngineStore) -> None:
    store.start()
    store.tamper.close_stage(id_of("a"))
    early = _codes(store)
    store.advance(PATIENCE + MINUTE)

    assert early == []
    assert _codes(store) == [("job.idle", id_of("a")), ("stage.closed", id_of("a"))]


def test_a_stopping_job_whose_queued_tasks_nobody_cancels(store: EngineStore) -> None:
    store.start()
    store.submit("b")
    store.plan(keys(3))
    store.stop("b")
    store.advance(PATIENCE + MINUTE)

    found = _codes(store)
    store.cancel_queued("b")

    assert ("job.stopping", id_of("b")) in found
    assert store.job("b").status is JobStatus.CANCELLED
    assert ("job.stopping", id_of("b")) not in _codes(store)


def test_an_active_job_without_a_task(store: EngineStore) -> None:
    store.submit()
    store.tamper.forget_tasks(id_of("a"))
    early = _codes(store)
    store.advance(PATIENCE + MINUTE)

    assert early == []
    assert _codes(store) == [("job.idle", id_of("a"))]


def test_a_clean_up_that_failed(store: EngineStore) -> None:
    _dirty(store)
    store.end(store.claim_one(), Outcome.FAILED)

    assert _codes(store) == [("cleanup.failed", id_of("a"))]


def test_a_clean_up_without_a_task(store: EngineStore) -> None:
    _dirty(store)
    store.tamper.forget_tasks(id_of("a"))
    early = _codes(store)
    store.advance(PATIENCE + MINUTE)

    assert early == []
    assert _codes(store) == [("cleanup.pending", id_of("a"))]


def test_the_longest_overdue_comes_first(store: EngineStore) -> None:
    _dirty(store)
    store.end(store.claim_one(), Outcome.FAILED)
    store.advance(2 * MINUTE)
    store.submit("b")
    store.tamper.forget_tasks(id_of("b"))
    store.advance(PATIENCE + MINUTE)

    assert [row.code for row in store.violations()] == ["cleanup.failed", "job.idle"]
    assert [row.code for row in store.jobs.violations(1)] == ["cleanup.failed"]


def _dirty(store: EngineStore) -> None:
    """Leave a job that has failed and is to be cleaned up."""
    store.submit(has_intermediates=True)
    store.plan(["k"])
    store.end(store.claim_one(), Outcome.FAILED)
    assert store.job().cleanup == "pending"
