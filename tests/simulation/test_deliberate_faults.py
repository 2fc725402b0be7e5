"""The simulation bites: every rule that is broken on purpose is found within the seeds of the test run."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.simulation.campaign import find_failure, processes
from tests.simulation.deliberate import DELIBERATE_FAULTS, DeliberateFault
from tests.simulation.test_simulation import SEEDS

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "simulation.md"


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with processes() as pool:
        yield pool


@pytest.mark.parametrize("fault", DELIBERATE_FAULTS, ids=lambda fault: fault.name)
def test_a_deliberate_fault_is_found(fault: DeliberateFault, pool: ProcessPoolExecutor) -> None:
    found = find_failure(pool, SEEDS, fault.name)

    assert found is not None, f"no seed finds it: {fault.what}"


@pytest.mark.parametrize("fault", DELIBERATE_FAULTS, ids=lambda fault: fault.name)
def test_a_deliberate_fault_is_in_the_documentation(fault: DeliberateFault) -> None:
    assert f"| `{fault.name}` | {fault.what} |" in PAGE.read_text()
