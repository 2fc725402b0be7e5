"""Cut a failing run down to the faults and the wishes that it needs."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.run import Verdict, judge
from tests.simulation.setup import Setup, setup_of
from tests.simulation.world import World

_MOST_TRIES = 400


@dataclass(frozen=True)
class Minimised:
    """A run that breaks the same law with as little as was found.

    Args:
        setup: How to run it.
        verdict: What it comes to.
        lines: Its trace.
    """

    setup: Setup
    verdict: Verdict
    lines: list[str]

    @property
    def command(self) -> str:
        """Return what replays it."""
        only = ",".join(sorted(self.setup.only or ())) or "none"
        return f"make simulate FIRST={self.setup.seed} WISHES={self.setup.wishes} ONLY={only}"


def minimise(failure: Verdict) -> Minimised:
    """Return the smallest run that was found to break the law that `failure` broke."""
    search = _Search(failure.seed, failure.law)
    fired = list(failure.fired)
    wishes = next(
        (number for number in range(1, 30) if search.fails(frozenset(fired), number)), search.all_wishes
    )
    kept = search.reduce(fired, lambda firings: search.fails(frozenset(firings), wishes))
    setup = setup_of(failure.seed, frozenset(kept), wishes)
    verdict = judge(World(setup, trace=True))
    return Minimised(setup, verdict, verdict.lines)


class _Search:
    """Delta debugging, within a bounded number of runs."""

    all_wishes = 1_000

    def __init__(self, seed: int, law: str | None) -> None:
        self._seed = seed
        self._law = law
        self._tries = 0

    def fails(self, only: frozenset[str], wishes: int) -> bool:
        """Return whether a run that is cut down still breaks the law."""
        self._tries += 1
        return judge(World(setup_of(self._seed, only, wishes))).law == self._law

    def reduce(self, items: list[str], fails: Callable[[list[str]], bool]) -> list[str]:
        """Leave out chunks, ever smaller ones, as long as it still fails."""
        size = len(items)
        while size >= 1:
            start = 0
            while start < len(items) and self._tries < _MOST_TRIES:
                fewer = items[:start] + items[start + size :]
                if fails(fewer):
                    items = fewer
                else:
                    start += size
            size //= 2
        return items
