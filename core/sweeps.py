"""What a sweep is made of: rules that tell each step they take."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from core.json import JsonObject
from core.ports.janitor import Report

_MOST_ITEMS = 100
_MOST_KINDS = 200


@dataclass(frozen=True)
class Step:
    """What a rule did in one short piece of work.

    Args:
        action: What was done, in the past tense.
        items: To what; each counts as looked at and as mended.
        scanned: How much more was looked at and found well, or left alone.
        number: How many were mended, where `items` do not name each.
        facts: Whatever else an operator wants to know.
    """

    action: str
    items: Sequence[str] = ()
    scanned: int = 0
    number: int | None = None
    facts: JsonObject = field(default_factory=dict)

    @property
    def fixed(self) -> int:
        """Return how many were mended."""
        return len(self.items) if self.number is None else self.number


#: Does a bounded piece of work between any two steps. Whoever runs a rule may stop after each, so
#: what a rule has done is whole at every step, and the next run goes on from the rows.
Rule = Callable[[], Iterator[Step]]


@dataclass(frozen=True)
class Sweep:
    """A named sequence of rules.

    Args:
        name: Its name in routes and records.
        period: How often it should run.
        rules: Run in this order; one that fails does not keep the others from running.
    """

    name: str
    period: timedelta
    rules: Sequence[Rule]


class Tally:
    """Adds up the steps of a run; what is of one kind is told once, with the first of its items."""

    def __init__(self) -> None:
        self._scanned = 0
        self._fixed = 0
        self._actions: dict[tuple[str, str], JsonObject] = {}

    def add(self, step: Step) -> None:
        """Count a step."""
        self._scanned += step.fixed + step.scanned
        self._fixed += step.fixed
        if not step.fixed and not step.facts:
            return
        kind = (step.action, str(sorted(step.facts.items())))
        if kind not in self._actions and len(self._actions) >= _MOST_KINDS:
            return
        told = self._actions.setdefault(kind, {"action": step.action, "number": 0, "items": [], **step.facts})
        told["number"] += step.fixed
        told["items"] += list(step.items)[: _MOST_ITEMS - len(told["items"])]

    def report(self) -> Report:
        """Return the sum so far."""
        return Report(self._scanned, self._fixed, tuple(self._actions.values()))
