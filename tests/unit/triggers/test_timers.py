import logging
from typing import Any

import pytest

from core.ports.janitor import RunFilter
from tests.factories.memory_app import MemoryApp
from triggers import timers

TIMERS = {
    builder._function.get_function_name(): builder._function.get_user_function()
    for builder in timers.blueprint._function_builders
}


class Tick:
    """What the host tells of a timer's run."""

    def __init__(self, *, past_due: bool = False) -> None:
        self.past_due = past_due


def sweeps(terrane: MemoryApp) -> list[tuple[str, str]]:
    runs = terrane.app.sweep_runs.runs(RunFilter(), 10, None)
    return [(run.run_type, run.triggered_by) for run in runs]


@pytest.mark.parametrize("name", ["task_watchdog", "job_health", "orphan_detector", "prune"])
def test_each_timer_runs_its_sweep(terrane: MemoryApp, name: str) -> None:
    TIMERS[name](Tick())

    assert sweeps(terrane) == [(name, "timer")]


@pytest.mark.parametrize("timer", TIMERS.values())
def test_a_disabled_janitor_does_not_sweep(terrane: MemoryApp, timer: Any) -> None:
    terrane.app.settings.janitor.enabled = False

    timer(Tick())

    assert sweeps(terrane) == []


def test_a_run_that_was_missed_is_made_up_for_and_logged(
    terrane: MemoryApp, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "triggers.timers"):
        TIMERS["prune"](Tick(past_due=True))

    assert sweeps(terrane) == [("prune", "timer")]
    assert [(record.message, vars(record)["sweep"]) for record in caplog.records] == [("sweep late", "prune")]
