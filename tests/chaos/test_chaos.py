"""The promises of the engine, kept by a real system that is broken in every way we know."""

import sys

from tests.chaos.chaos import run
from tests.chaos.faults import KINDS

SECONDS = 120
SEED = 4


def test_every_promise_is_kept_by_a_system_that_breaks() -> None:
    outcome = run(SECONDS, SEED)

    sys.stdout.write(outcome.report())
    assert outcome.faults == []
    # What never fired is not tested.
    assert {kind for kind in KINDS if not outcome.fired[kind]} == outcome.impossible
