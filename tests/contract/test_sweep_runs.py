"""The janitor's lease and its records, alike in either store."""

from datetime import timedelta

import pytest

from core.models.janitor import RunStatus, SweepState, SweepTotals
from core.ports.janitor import Report, RunFilter, RunRequest
from tests.factories.engine import EngineStore

MINUTE = timedelta(minutes=1)
LEASE = 2 * MINUTE
DONE = Report(3, 1, ({"action": "mended", "number": 1, "items": ["a"]},))
FAULT = {"code": "janitor.rule_failed", "message": "it broke"}


def request(holder: str = "one", sweep: str = "job_health", period: timedelta = 10 * MINUTE) -> RunRequest:
    return RunRequest(sweep, "tester", holder, period, LEASE)


def begin(store: EngineStore, holder: str = "one", sweep: str = "job_health") -> int:
    run_id = store.runs.begin(request(holder, sweep))
    assert run_id is not None
    return run_id


def state(store: EngineStore, sweep: str = "job_health") -> SweepState:
    [found] = [each for each in store.runs.states() if each.sweep == sweep]
    return found


def test_a_run_is_recorded_when_it_begins_and_when_it_ends(store: EngineStore) -> None:
    run_id = begin(store)
    [running] = store.runs.runs(RunFilter(), 10, None)

    ended = store.runs.end(run_id, RunStatus.COMPLETED, DONE, None)

    assert (running.run_id, running.status, running.ended_at) == (run_id, RunStatus.RUNNING, None)
    assert (ended.status, ended.scanned, ended.fixed, ended.actions) == (
        RunStatus.COMPLETED,
        3,
        1,
        DONE.actions,
    )
    assert ended.ended_at is not None
    assert list(store.runs.runs(RunFilter(), 10, None)) == [ended]


def test_all_sweeps_share_one_lease(store: EngineStore) -> None:
    first = begin(store)

    meanwhile = store.runs.begin(request("two", "orphan_detector"))
    store.runs.end(first, RunStatus.COMPLETED, DONE, None)

    assert meanwhile is None
    assert begin(store, "two", "orphan_detector") > first


def test_a_repeated_wish_is_the_same_run(store: EngineStore) -> None:
    first = begin(store)

    assert begin(store) == first
    assert len(store.runs.runs(RunFilter(), 10, None)) == 1


def test_a_renewed_lease_holds_and_what_was_done_so_far_is_recorded(store: EngineStore) -> None:
    run_id = begin(store)
    store.advance(LEASE - MINUTE)
    kept = store.runs.keep(run_id, LEASE, DONE)
    store.advance(LEASE - MINUTE)

    assert kept
    assert store.runs.begin(request("two")) is None
    [run] = store.runs.runs(RunFilter(), 10, None)
    assert (run.status, run.fixed, run.actions) == (RunStatus.RUNNING, 1, DONE.actions)


def test_a_lease_that_ran_out_and_that_nobody_took_is_renewed(store: EngineStore) -> None:
    run_id = begin(store)
    store.advance(LEASE + MINUTE)

    assert state(store).dead
    assert store.runs.keep(run_id, LEASE, DONE)
    assert not state(store).dead


def test_a_silent_run_is_buried_by_the_next_one_and_loses_its_lease(store: EngineStore) -> None:
    dead = begin(store)
    store.advance(LEASE + MINUTE)
    was_dead = state(store).dead

    living = begin(store, "two", "prune")

    [_, buried] = store.runs.runs(RunFilter(), 10, None)
    assert was_dead
    assert (buried.run_id, buried.status) == (dead, RunStatus.FAILED)
    assert buried.error is not None
    assert buried.error["code"] == "janitor.run_lost"
    assert not store.runs.keep(dead, LEASE, DONE)
    assert store.runs.end(dead, RunStatus.COMPLETED, DONE, None).status is RunStatus.FAILED
    assert store.runs.keep(living, LEASE, DONE)


def test_skips_are_counted_until_the_next_run(store: EngineStore) -> None:
    store.runs.skip(request())
    store.advance(MINUTE)
    skipped = store.runs.skip(request())
    twice = state(store)
    store.advance(MINUTE)
    begin(store)

    assert (skipped.status, skipped.ended_at) == (RunStatus.SKIPPED, skipped.started_at)
    assert (twice.skips, twice.completed_at) == (2, None)
    assert twice.last == skipped
    assert state(store).skips == 0


def test_a_failed_run_is_no_complete_one(store: EngineStore) -> None:
    good = store.runs.end(begin(store), RunStatus.COMPLETED, DONE, None)
    store.advance(MINUTE)
    bad = store.runs.end(begin(store, "two"), RunStatus.FAILED, DONE, FAULT)

    found = state(store)

    assert (found.last, bad.error) == (bad, FAULT)
    assert found.completed_at is not None
    assert found.completed_at < bad.started_at
    assert good.status is RunStatus.COMPLETED


def test_runs_are_filtered_and_paged(store: EngineStore) -> None:
    for number, sweep in enumerate(("job_health", "prune", "job_health", "job_health")):
        store.runs.end(begin(store, str(number), sweep), RunStatus.COMPLETED, DONE, None)
    store.runs.skip(request())

    skipped, *rest = store.runs.runs(RunFilter(sweep="job_health"), 2, None)
    older = store.runs.runs(RunFilter(sweep="job_health"), 10, rest[-1].run_id)

    assert skipped.status is RunStatus.SKIPPED
    assert len(older) == 2
    assert len(store.runs.runs(RunFilter(status="skipped"), 10, None)) == 1
    assert store.runs.totals(MINUTE) == SweepTotals(runs=5, failed=0, skipped=1, fixed=4)


def test_runs_are_filtered_by_time(store: EngineStore) -> None:
    store.runs.skip(request())
    store.advance(10 * MINUTE)
    now = store.runs.skip(request()).started_at

    assert len(store.runs.runs(RunFilter(started_after=now - MINUTE), 10, None)) == 1
    assert len(store.runs.runs(RunFilter(started_before=now - MINUTE), 10, None)) == 1
    assert store.runs.totals(5 * MINUTE).runs == 1


def test_the_period_that_a_run_was_told_is_kept(store: EngineStore) -> None:
    store.runs.begin(request(sweep="task_watchdog", period=MINUTE))

    assert state(store, "task_watchdog").period == MINUTE
    assert state(store).period == 10 * MINUTE


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.SKIPPED])
def test_a_sweep_without_a_complete_run_for_two_periods_is_a_violation(
    store: EngineStore, status: RunStatus
) -> None:
    store.runs.end(begin(store), RunStatus.COMPLETED, DONE, None)
    early = [row.code for row in store.violations()]
    store.wreckage.miss_sweeps(22 * MINUTE)
    store.advance(22 * MINUTE)
    if status is RunStatus.SKIPPED:
        store.runs.skip(request())
    else:
        store.runs.end(begin(store, "two"), status, DONE, FAULT)

    late = {row.what for row in store.violations()}

    assert early == []
    assert f"job_health has not run to its end for two of its periods; its last run: {status}" in late
    assert not any(what.startswith(("prune", "orphan_detector")) for what in late)


def test_a_sweep_that_ran_in_time_is_no_violation(store: EngineStore) -> None:
    store.wreckage.miss_sweeps(19 * MINUTE)

    for sweep in ("task_watchdog", "job_health"):
        store.runs.end(begin(store, sweep, sweep), RunStatus.COMPLETED, DONE, None)

    assert store.violations() == []
