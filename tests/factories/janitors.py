"""A janitor over the stores of a test, with a queue and blobs in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from core.bells import Bells
from core.declaration import PrefixTemplate
from core.janitor import Janitor, JanitorLimits
from core.job_health import JobHealth
from core.json import JsonObject
from core.models.janitor import SweepRun
from core.orphans import OrphanDetector
from core.prune import Prune
from core.reports import Reports
from core.suspects import Suspects
from core.sweeps import Rule, Sweep
from core.watchdog import TaskWatchdog
from infrastructure.clock import SystemChance
from infrastructure.memory.blob_store import InMemoryBlobStore
from infrastructure.memory.queue import InMemoryQueue
from tests.factories.clock import ManualClock
from tests.factories.engine import EngineStore

AGE = timedelta(minutes=1)
GRACE = timedelta(hours=24)
RETENTION = timedelta(days=90)
LIMITS = JanitorLimits(
    budget=timedelta(seconds=50), lease=timedelta(minutes=2), patience=timedelta(seconds=60)
)
TEMP = "rmhazuregeotemp"
PERIODS = {
    "task_watchdog": timedelta(minutes=5),
    "job_health": timedelta(minutes=10),
    "orphan_detector": timedelta(minutes=15),
    "prune": timedelta(days=1),
}


@dataclass
class Sweeper:
    """Sweeps over `store`.

    Args:
        store: The engine's rows.
        clock: The process's clock, which only sleeping moves.
        templates: Where intermediates lie.
        limits: How much a run may do.
    """

    store: EngineStore
    clock: ManualClock = field(default_factory=ManualClock)
    templates: Sequence[PrefixTemplate] = ()
    limits: JanitorLimits = LIMITS

    def __post_init__(self) -> None:
        self.queue = InMemoryQueue(self.clock, ("light", "heavy"))
        self.blobs = InMemoryBlobStore(self.clock)
        self.bells = Bells(self.queue, self.store.jobs, self.store.tasks, 200)

    @property
    def janitor(self) -> Janitor:
        rules = self.rules()
        sweeps = [Sweep(name, PERIODS[name], rules[name]) for name in rules]
        return Janitor(sweeps, self.store.runs, self.clock, SystemChance(), self.limits)

    def rules(self) -> dict[str, Sequence[Rule]]:
        store = self.store
        suspects = Suspects(store.mending, self.bells, SystemChance(), AGE)
        orphans = OrphanDetector(suspects, store.mending, self.bells, self.blobs, self.templates, GRACE)
        return {
            "task_watchdog": TaskWatchdog(store.tasks, self.queue, self.bells).rules,
            "job_health": JobHealth(suspects, store.jobs).rules,
            "orphan_detector": orphans.rules,
            "prune": [
                *Prune(store.mending, store.runs, RETENTION).rules,
                *Reports(store.mending, self.blobs, TEMP, RETENTION).rules,
            ],
        }

    def run(self, name: str) -> SweepRun:
        """Run one sweep, and see that nothing of it broke."""
        [run] = self.janitor.run(name, "tester")
        assert run.error is None, run.error
        return run

    def actions(self, name: str) -> dict[str, list[str]]:
        """Run one sweep and return what it did to what."""
        return told(self.run(name).actions)


def told(actions: Sequence[JsonObject]) -> dict[str, list[str]]:
    """Return the items of each action."""
    return {str(action["action"]): list(action["items"]) for action in actions}
