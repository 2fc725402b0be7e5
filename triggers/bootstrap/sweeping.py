"""The janitor's sweeps, over what the engine works on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.cleanup import resolved
from core.janitor import Janitor, JanitorLimits
from core.job_health import JobHealth
from core.orphans import OrphanDetector
from core.prune import Prune
from core.publishing import asides
from core.reports import Reports
from core.suspects import Suspects
from core.sweeps import Sweep
from core.trash import Trash
from core.watchdog import TaskWatchdog
from infrastructure.clock import SystemChance, SystemClock
from triggers.bootstrap.engine import Engine
from triggers.bootstrap.parts import part


@dataclass(frozen=True)
class Sweeping(Engine):
    """What mends and prunes what the engine leaves."""

    @part
    def janitor(self) -> Janitor:
        """Return what runs the sweeps."""
        return self._janitor(self._sweeps)

    def pruner(self, retention: timedelta) -> Janitor:
        """Return a janitor that only prunes, and keeps what is younger than `retention`."""
        rules = Prune(self.mending, self.sweep_runs, retention).rules
        return self._janitor([Sweep("prune", self.settings.janitor.periods["prune"], rules)])

    def _janitor(self, sweeps: Sequence[Sweep]) -> Janitor:
        settings = self.settings.janitor
        limits = JanitorLimits(
            budget=timedelta(seconds=settings.budget_seconds),
            lease=timedelta(seconds=settings.lease_seconds),
            patience=timedelta(seconds=settings.patience_seconds),
        )
        return Janitor(sweeps, self.sweep_runs, SystemClock(), SystemChance(), limits)

    @part
    def _sweeps(self) -> Sequence[Sweep]:
        settings = self.settings.janitor
        minimum_age = timedelta(seconds=settings.minimum_age_seconds)
        suspects = Suspects(self.mending, self.bells, SystemChance(), minimum_age)
        templates = [template for job in self.registry.jobs.values() for template in job.intermediate_blobs]
        orphans = OrphanDetector(
            suspects=suspects,
            mending=self.mending,
            bells=self.bells,
            blobs=self.blobs,
            templates=[*resolved(templates, self._containers), asides(self.settings.storage.temp)],
            grace=timedelta(hours=settings.intermediates_grace_hours),
            tables=self.scratch_tables,
        )
        retention = timedelta(days=self.settings.engine.retention_days)
        prune = Prune(self.mending, self.sweep_runs, retention)
        reports = Reports(self.mending, self.blobs, self.settings.storage.temp, retention)
        rules = {
            "task_watchdog": TaskWatchdog(self.tasks, self.queue, self.bells).rules,
            "job_health": JobHealth(suspects, self.jobs).rules,
            "orphan_detector": orphans.rules,
            "prune": [*prune.rules, *reports.rules, *Trash(self.unpublishing, self.blobs).rules],
        }
        return [Sweep(name, settings.periods[name], rules[name]) for name in rules]
