"""How a run of a sweep is kept within its bounds, and what it survives."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from core import codes
from core.errors import NotFound, TransientError
from core.janitor import Janitor, JanitorLimits
from core.models.janitor import RunStatus
from core.ports.janitor import Report, RunFilter, RunRequest
from core.sweeps import Rule, Step, Sweep
from infrastructure.clock import SystemChance
from infrastructure.memory.state import EngineState
from infrastructure.memory.sweep_runs import InMemorySweepRuns
from tests.factories.clock import ManualClock

SECOND = timedelta(seconds=1)
LIMITS = JanitorLimits(budget=50 * SECOND, lease=120 * SECOND, patience=60 * SECOND)
HELD = RunRequest("job_health", "somebody", "holder", 600 * SECOND, 120 * SECOND)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2024, 5, 1, tzinfo=UTC))


@pytest.fixture
def runs(clock: ManualClock) -> InMemorySweepRuns:
    return InMemorySweepRuns(EngineState(clock))


@pytest.fixture
def janitor(clock: ManualClock, runs: InMemorySweepRuns) -> Janitor:
    return of(clock, runs, [])


def of(clock: ManualClock, runs: InMemorySweepRuns, rules: Sequence[Rule]) -> Janitor:
    names = ("task_watchdog", "job_health", "orphan_detector")
    sweeps = [Sweep(name, 600 * SECOND, rules) for name in names]
    return Janitor(sweeps, runs, clock, SystemChance(), LIMITS)


def steps(clock: ManualClock, number: int, each: timedelta = SECOND) -> Iterator[Step]:
    for index in range(number):
        clock.sleep(each)
        yield Step("mended", [f"job {index}"])


def test_a_rule_that_breaks_does_not_keep_the_others_from_mending(
    clock: ManualClock, runs: InMemorySweepRuns
) -> None:
    def broken() -> Iterator[Step]:
        yield Step("mended", ["first"])
        raise RuntimeError("a bug")

    def deaf() -> Iterator[Step]:
        raise TransientError(codes.BUS_UNAVAILABLE, "bus.test does not answer.")
        yield

    [run] = of(clock, runs, [broken, deaf, lambda: steps(clock, 1)]).run("job_health", "tester")

    assert (run.status, run.fixed) == (RunStatus.FAILED, 2)
    assert run.error == {
        "code": "janitor.rule_failed",
        "message": "RuntimeError: a bug",
        "rule": "broken",
    }


def test_a_run_ends_with_its_budget_and_leaves_the_rest(clock: ManualClock, runs: InMemorySweepRuns) -> None:
    [run] = of(clock, runs, [lambda: steps(clock, 1_000)]).run("job_health", "tester")

    assert run.status is RunStatus.COMPLETED
    assert 50 <= run.fixed <= 52
    assert "left the rest to the next run" in [action["action"] for action in run.actions]


def test_every_rule_gets_its_share_of_the_budget(clock: ManualClock, runs: InMemorySweepRuns) -> None:
    def endless() -> Iterator[Step]:
        return steps(clock, 1_000)

    def last() -> Iterator[Step]:
        yield Step("reached", ["the end"])

    [run] = of(clock, runs, [endless, endless, last]).run("job_health", "tester")

    assert "reached" in [action["action"] for action in run.actions]


def test_a_long_run_keeps_its_lease(clock: ManualClock, runs: InMemorySweepRuns) -> None:
    begun: list[int | None] = []

    def slow() -> Iterator[Step]:
        for step in steps(clock, 30, 5 * SECOND):
            begun.append(runs.begin(HELD))
            yield step

    limits = JanitorLimits(budget=600 * SECOND, lease=LIMITS.lease, patience=LIMITS.patience)
    sweep = Sweep("job_health", 600 * SECOND, [slow])
    [run] = Janitor([sweep], runs, clock, SystemChance(), limits).run("job_health", "tester")

    assert (run.status, run.fixed) == (RunStatus.COMPLETED, 30)
    assert set(begun) == {None}


def test_a_run_that_lost_its_lease_stops(clock: ManualClock, runs: InMemorySweepRuns) -> None:
    def frozen() -> Iterator[Step]:
        yield Step("mended", ["before"])
        clock.sleep(timedelta(minutes=5))
        assert runs.begin(HELD) is not None
        yield Step("mended", ["while another runs"])
        yield Step("mended", ["too late"])

    [run] = of(clock, runs, [frozen, lambda: steps(clock, 1)]).run("job_health", "tester")

    assert run.status is RunStatus.FAILED
    assert run.error is not None
    assert run.error["code"] == "janitor.run_lost"
    assert run.fixed <= 2


def test_a_run_waits_for_another_ones_end(clock: ManualClock, runs: InMemorySweepRuns) -> None:
    held = runs.begin(HELD)

    class Impatient(ManualClock):
        def sleep(self, duration: timedelta) -> None:
            super().sleep(duration)
            clock.advance(duration)
            if clock.monotonic() == 30:
                runs.end(int(held or 0), RunStatus.COMPLETED, Report(0, 0, ()), None)

    [run] = of(Impatient(), runs, []).run("task_watchdog", "tester")

    assert run.status is RunStatus.COMPLETED


def test_a_run_gives_up_after_its_patience(
    janitor: Janitor, clock: ManualClock, runs: InMemorySweepRuns
) -> None:
    runs.begin(HELD)

    [run] = janitor.run("task_watchdog", "tester")

    assert (run.status, clock.monotonic()) == (RunStatus.SKIPPED, 60)


def test_all_runs_every_sweep_in_order_with_one_patience(
    janitor: Janitor, clock: ManualClock, runs: InMemorySweepRuns
) -> None:
    runs.begin(HELD)

    done = janitor.run("all", "tester")

    assert [run.run_type for run in done] == ["task_watchdog", "job_health", "orphan_detector"]
    assert {run.status for run in done} == {RunStatus.SKIPPED}
    assert clock.monotonic() == 60


def test_an_unknown_sweep_is_refused(janitor: Janitor, runs: InMemorySweepRuns) -> None:
    with pytest.raises(NotFound, match="task_watchdog"):
        janitor.run("dusting", "tester")

    assert runs.runs(RunFilter(), 10, None) == []
