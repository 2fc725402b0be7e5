"""``python -m tests.simulation``: run seeds, or replay a part of one."""

import argparse
import sys
import time
from collections.abc import Sequence

from tests.simulation.campaign import report, run_seeds
from tests.simulation.minimise import minimise
from tests.simulation.run import Verdict, replay
from tests.simulation.setup import setup_of

_TRACED = 3
_LINES = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; the exit code is 1 if a law was broken or something was not tested."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--only", help="replay the first seed with these firings (kind@n,...; none) alone")
    parser.add_argument("--wishes", type=int, default=1_000, help="and with so many wishes of its clients")
    parser.add_argument("--trace", action="store_true", help="replay the first seed, with its trace")
    options = parser.parse_args(arguments)
    if options.trace or options.only is not None:
        only = None if options.only is None else frozenset(options.only.split(",")) - {"none"}
        return _show(replay(setup_of(options.first, only, options.wishes)))
    return _run(range(options.first, options.first + options.seeds))


def _run(seeds: Sequence[int]) -> int:
    start = time.monotonic()
    tally = run_seeds(seeds)
    _say(*report(tally, time.monotonic() - start))
    for failure in tally.failures[:_TRACED]:
        _say(f"seed {failure.seed}: {failure.law}: {failure.detail}", "minimising ...")
        smallest = minimise(failure)
        _say(*smallest.lines[-_LINES:], f"replay: {smallest.command}")
    _say(*(f"seed {one.seed}: {one.law}: {one.detail}" for one in tally.failures[_TRACED:]))
    return 1 if tally.failures or tally.never_fired or tally.never_seen else 0


def _show(verdict: Verdict) -> int:
    _say(*verdict.lines, f"law broken: {verdict.law}: {verdict.detail}" if verdict.law else "no law broken")
    return int(verdict.law is not None)


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
