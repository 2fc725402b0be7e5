"""A failure is told by the smallest run that still shows it, and that run can be run again."""

from tests.simulation.deliberate import broken
from tests.simulation.minimise import minimise
from tests.simulation.run import replay, simulate
from tests.simulation.setup import setup_of

# Finds nothing, but meets dozens of faults on its way to what is broken below.
SEED = 6


def test_a_failure_is_cut_down_to_what_it_needs_and_replays() -> None:
    with broken("retry_beside_a_stop"):
        failure = simulate(SEED)
        smallest = minimise(failure)
        again = replay(setup_of(SEED, smallest.setup.only, smallest.setup.wishes))

    assert failure.law is not None
    assert (smallest.verdict.law, again.law) == (failure.law, failure.law)
    assert again.digest == smallest.verdict.digest
    assert again.lines == smallest.lines
    assert len(smallest.setup.only or ()) < len(failure.fired) / 2
    assert smallest.command.startswith(f"make simulate FIRST={SEED} WISHES={smallest.setup.wishes} ONLY=")


def test_a_run_told_again_with_all_that_fired_is_the_same_run() -> None:
    first = simulate(SEED)

    again = replay(setup_of(SEED, frozenset(first.fired)))

    assert (again.digest, again.fired) == (first.digest, first.fired)
