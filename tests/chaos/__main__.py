"""``python -m tests.chaos --seconds 600 --seed 7``: what `make chaos` runs."""

import argparse
import sys

from tests.chaos.chaos import run


def main() -> int:
    """Run once, print the report, and return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    outcome = run(options.seconds, options.seed)
    sys.stdout.write(outcome.report() + "\n")
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
