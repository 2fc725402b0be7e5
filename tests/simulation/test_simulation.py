"""The engine keeps its promises, whatever breaks and whenever; a seed tells all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.campaign import run_seeds
from tests.simulation.faults import FAULT_KINDS, FaultKind
from tests.simulation.minimise import minimise
from tests.simulation.run import Verdict

SEEDS = range(2_000)
CHECKOUT = Path(__file__).parents[2]


def told(failure: Verdict) -> str:
    smallest = minimise(failure)
    trace = "\n".join(smallest.lines[-100:])
    return f"{trace}\nseed {failure.seed}: {failure.law}: {failure.detail}\nreplay: {smallest.command}"


def test_every_promise_is_kept_and_every_fault_and_rare_path_was_met() -> None:
    tally = run_seeds(SEEDS)

    assert not tally.failures, told(tally.failures[0])
    assert tally.seeds == len(SEEDS)
    assert tally.never_fired == []
    assert tally.never_seen == []


@pytest.mark.parametrize("kind", FAULT_KINDS, ids=lambda kind: kind.name)
def test_a_kind_of_fault_is_in_the_documentation(kind: FaultKind) -> None:
    page = CHECKOUT / "docs" / "explanation" / "simulation.md"

    assert f"| `{kind.name}` | {kind.what} |" in page.read_text()


def test_a_seed_tells_the_same_story_in_every_process() -> None:
    code = "from tests.simulation.run import simulate; print([simulate(seed).digest for seed in range(12)])"
    stories = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONHASHSEED": salt},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for salt in ("1", "2")
    }

    assert len(stories) == 1
