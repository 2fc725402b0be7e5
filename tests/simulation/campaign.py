"""Many seeds on every core, and what came of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from os import cpu_count

from tests.simulation.faults import FAULT_KINDS
from tests.simulation.run import Verdict, simulate
from tests.simulation.sights import SIGHTS

_CHUNK, _FEW, _MANY = 20, 5, 2_000
_CORES = cpu_count() or 1


@dataclass
class Tally:
    """What seeds came to, together.

    Args:
        seeds: How many ran.
        lives: Revisions of jobs that ended.
        tasks: Tasks that ended.
        steps: Steps that were scheduled.
        faults: How often each kind fired.
        sights: What was met.
        failures: Runs in which a law was broken.
    """

    seeds: int = 0
    lives: int = 0
    tasks: int = 0
    steps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    sights: Counter[str] = field(default_factory=Counter)
    failures: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """Count a run."""
        self.seeds += 1
        self.lives += verdict.lives
        self.tasks += verdict.tasks
        self.steps += verdict.steps
        self.faults += verdict.faults
        self.sights += verdict.sights
        if verdict.law is not None:
            self.failures.append(verdict)

    @property
    def never_fired(self) -> list[str]:
        """Return the kinds of faults that are not tested; a few seeds cannot meet every one."""
        return [kind.name for kind in FAULT_KINDS if not self.faults[kind.name] and self.seeds >= _MANY]

    @property
    def never_seen(self) -> list[str]:
        """Return the paths that are not tested; a few seeds cannot meet every one."""
        return [sight for sight in SIGHTS if not self.sights[sight] and self.seeds >= _MANY]


def run_seeds(seeds: Sequence[int]) -> Tally:
    """Run seeds on every core."""
    tally = Tally()
    with processes() as pool:
        for verdicts in pool.map(_run_batch, _batches(seeds, _CHUNK)):
            for verdict in verdicts:
                tally.add(verdict)
    return tally


def find_failure(pool: ProcessPoolExecutor, seeds: Sequence[int], deliberate: str) -> Verdict | None:
    """Return a run in which a deliberate fault was found, trying seeds in order."""
    running: set[Future[Verdict | None]] = set()
    for batch in _batches(seeds, _FEW):
        running.add(pool.submit(_first_failure, batch, deliberate))
        if len(running) < _CORES:
            continue
        done, running = wait(running, return_when=FIRST_COMPLETED)
        found = next((future.result() for future in done if future.result()), None)
        if found is not None:
            return found
    return next((future.result() for future in running if future.result()), None)


def processes() -> ProcessPoolExecutor:
    """Return a process for each core; spawned, for the threads of this one would not survive a fork."""
    return ProcessPoolExecutor(_CORES, mp_context=get_context("spawn"))


def _batches(seeds: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (seeds[start : start + size] for start in range(0, len(seeds), size))


def _run_batch(seeds: Sequence[int]) -> Sequence[Verdict]:
    return [simulate(seed) for seed in seeds]


def _first_failure(seeds: Sequence[int], deliberate: str) -> Verdict | None:
    # Loaded here: it takes pytest along, which no ordinary run needs.
    from tests.simulation.deliberate import broken  # noqa: PLC0415 - only for runs with a deliberate fault

    with broken(deliberate):
        verdicts = (simulate(seed) for seed in seeds)
        return next((verdict for verdict in verdicts if verdict.law is not None), None)


def report(tally: Tally, seconds: float) -> Iterator[str]:
    """Yield the lines of a report."""
    yield (
        f"{tally.seeds} seeds, {tally.lives} job lives, {tally.tasks} tasks, {tally.steps} steps "
        f"in {seconds:.0f} s ({tally.lives / seconds:.0f} lives/s)"
    )
    yield "faults that fired:"
    yield from (f"  {tally.faults[kind.name]:>8} {kind.name}" for kind in FAULT_KINDS)
    yield "sights:"
    yield from (f"  {tally.sights[sight]:>8} {sight}" for sight in SIGHTS)
    for name in tally.never_fired:
        yield f"NOT TESTED: {name} never fired"
    for sight in tally.never_seen:
        yield f"NOT TESTED: never seen: {sight}"
    yield f"laws broken in {len(tally.failures)} of {tally.seeds} runs"
