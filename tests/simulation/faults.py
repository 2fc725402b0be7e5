"""What can break, by name; when it does is decided by the seed alone."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from random import Random


@dataclass(frozen=True)
class FaultKind:
    """A named injector.

    Args:
        name: How reports and replays call it.
        what: What happens, in a sentence.
        odds: One in so many opportunities, in a run in which it is at work.
        loses_bells: Whether a bell may be lost by it, so that only the watchdog can mend it.
    """

    name: str
    what: str
    odds: int
    loses_bells: bool = True


def _harmless(name: str, what: str, odds: int) -> FaultKind:
    return FaultKind(name, what, odds, loses_bells=False)


FAULT_KINDS: tuple[FaultKind, ...] = (
    FaultKind("process.crash_before_commit", "A process dies before a call reaches the database.", 150),
    FaultKind("process.crash_after_commit", "A process dies when the database has committed its call.", 150),
    FaultKind("process.crash_before_send", "A process dies between a commit and the bells that follow.", 40),
    FaultKind("process.crash_after_send", "A process dies when the bus has taken its bells.", 40),
    FaultKind("process.crash_before_settle", "A process dies before it settles the bell it answered.", 60),
    FaultKind("process.crash_after_settle", "A process dies when it has settled a bell.", 60),
    FaultKind("process.crash_before_effect", "A process dies before an effect's transaction is sealed.", 12),
    FaultKind("process.crash_after_effect", "A process dies when an effect's transaction has committed.", 12),
    FaultKind("process.crash_before_blob", "A process dies before a call reaches the blob store.", 12),
    FaultKind("process.crash_after_blob", "A process dies when the blob store has done its call.", 12),
    FaultKind("process.crash_in_handler", "A process dies while a handler works.", 40),
    FaultKind("process.drain", "A process is told to end, and killed some seconds later.", 30),
    _harmless("process.stall", "A process is stopped for up to minutes between two steps.", 150),
    _harmless(
        "process.stall_at_blob", "A process is stopped for minutes before a call to the blob store.", 6
    ),
    _harmless("process.heart_stopped", "A process beats no longer, though it works on.", 30),
    FaultKind("process.slow_start", "A process that died comes back after minutes only.", 3),
    _harmless(
        "process.outdated", "A process is of an older release, which lacks a job type and a handler.", 4
    ),
    FaultKind("clock.skew", "A process's clock is minutes off, and with it the bells that it schedules.", 2),
    _harmless("clock.drift", "A process's durations are a tenth too long or too short.", 2),
    _harmless("clock.leap", "The store's clock leaps ahead by up to a minute.", 40),
    _harmless("database.refuses", "The database refuses a call before it does anything.", 150),
    _harmless("database.answer_lost", "The database commits a call, and its answer is lost.", 150),
    _harmless("database.slow", "The database takes seconds for a call.", 100),
    FaultKind("database.outage", "The database answers nobody for up to five minutes.", 15),
    FaultKind("database.partition", "The database does not answer one process for up to five minutes.", 20),
    FaultKind("bus.refuses", "The bus refuses bells.", 20),
    FaultKind("bus.answer_lost", "The bus takes bells and its answer is lost.", 20),
    FaultKind("bus.partial", "The bus takes some of a batch of bells and refuses the rest.", 4),
    FaultKind("bus.drops", "A bell is lost.", 10),
    _harmless("bus.duplicates", "A bell is delivered twice.", 10),
    _harmless("bus.delays", "A bell is late by up to ten minutes.", 10),
    _harmless("bus.reorders", "A bell overtakes others.", 4),
    _harmless("bus.early", "A scheduled bell comes up to a second early.", 4),
    _harmless("bus.lock_lost", "A bell is delivered again while its holder still works.", 20),
    _harmless("bus.settle_lost", "A bell that was settled is delivered again.", 30),
    FaultKind("bus.dead_letters", "A bell is dead-lettered unread.", 30),
    FaultKind("bus.expires", "A bell lies in the bus for longer than it lives.", 30),
    FaultKind("bus.foreign", "A message that is no bell is dead-lettered.", 60),
    FaultKind("bus.restarts", "The bus loses every message that it holds.", 60),
    FaultKind("bus.outage", "The bus answers nobody for up to two minutes.", 40),
    _harmless("blobs.refuses", "The blob store refuses a call before it does anything.", 12),
    _harmless("blobs.answer_lost", "The blob store does a call, and its answer is lost.", 12),
    _harmless("blobs.slow", "The blob store takes up to five minutes for a call.", 10),
    _harmless("janitor.any_time", "A sweep runs out of turn.", 10),
    _harmless("janitor.twice", "Two sweeps of one kind run at once.", 3),
    _harmless("operator.pause", "An operator pauses the engine, for a while or until it is resumed.", 60),
)
BY_NAME = {kind.name: kind for kind in FAULT_KINDS}


class Faults:
    """Decides at every opportunity whether a fault fires.

    Each kind has random numbers of its own, so that a run without one kind meets the others at the
    same opportunities: this is what lets a failure be minimised.

    Args:
        seed: Of the run.
        kinds: The kinds that are at work.
        intensity: Factor on their odds.
        only: The firings that are allowed, as ``kind@opportunity``; None: as chance has it.
    """

    def __init__(
        self, seed: int, kinds: frozenset[str], intensity: float, only: frozenset[str] | None
    ) -> None:
        self._seed = seed
        self._only = only
        self._quiet = False
        self._seen: dict[str, int] = dict.fromkeys(BY_NAME, 0)
        self._odds = {name: BY_NAME[name].odds / intensity for name in kinds}
        self._random = {name: Random(f"{seed} {name}") for name in self._odds}
        self._next = {name: self._gap(name) for name in sorted(self._odds)}
        self.fired: list[str] = []
        self.counts: Counter[str] = Counter()
        self.on_fire: Callable[[str], None] | None = None

    def fires(self, name: str) -> bool:
        """Return whether the fault happens at this opportunity."""
        if self._quiet or name not in self._next:
            return False
        seen = self._seen[name] = self._seen[name] + 1
        due = seen >= self._next[name]
        if due:
            self._next[name] = seen + self._gap(name)
        if self._only is not None:
            due = f"{name}@{seen}" in self._only
        if due:
            self.fired.append(f"{name}@{seen}")
            self.counts[name] += 1
            if self.on_fire is not None:
                self.on_fire(f"fault {name}@{seen}")
        return due

    def amount(self, name: str, low: float, high: float) -> float:
        """Return how much, for the firing just decided; small amounts are as likely as large ones."""
        fraction = Random(f"{self._seed} {name} {self._seen[name]}").random()
        return float(low * (high / low) ** fraction)

    def calm(self) -> None:
        """Let nothing happen any more."""
        self._quiet = True

    @property
    def is_calm(self) -> bool:
        """Return whether the faults are over."""
        return self._quiet

    def _gap(self, name: str) -> int:
        """Return after how many opportunities the next one is, if each had the same odds."""
        chance = min(1.0, 1 / self._odds[name])
        if chance >= 1:
            return 1
        return 1 + int(log(1 - self._random[name].random()) / log(1 - chance))
