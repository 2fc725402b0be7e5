"""The janitor: runs sweeps one at a time, each within its budget, and records what they did."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from core import codes
from core.errors import NotFound, TerraneError
from core.json import JsonObject
from core.models.janitor import RunStatus, SweepRun
from core.ports.clock import Chance, Clock
from core.ports.janitor import RunRequest, SweepRuns
from core.sweeps import Rule, Step, Sweep, Tally

logger = logging.getLogger(__name__)

#: What `all` runs, in this order: a job is judged by tasks that are in order themselves.
ALL = ("task_watchdog", "job_health", "orphan_detector")

_LOOK_AGAIN = timedelta(seconds=1)
_RENEWALS = 8


@dataclass(frozen=True)
class JanitorLimits:
    """How much a run may do, and how long it waits.

    Args:
        budget: How long a run goes on; what is left is the next one's.
        lease: How long a run may be silent before another may begin.
        patience: How long a run waits for another one's end.
    """

    budget: timedelta
    lease: timedelta
    patience: timedelta


class _LeaseLost(Exception):
    """Another run has begun, because this one was silent for too long."""


class Janitor:
    """Runs sweeps under the one lease that they share.

    The lease keeps them from acting on each other's half-done work. It is no lock: should two run at
    once all the same, every step of either is a transaction that decides anew under row locks.

    Args:
        sweeps: What there is.
        runs: The lease and the records.
        clock: This process's clock.
        chance: For the names of the wishes to run.
        limits: How much, how long.
    """

    def __init__(
        self, sweeps: Sequence[Sweep], runs: SweepRuns, clock: Clock, chance: Chance, limits: JanitorLimits
    ) -> None:
        self.sweeps: Mapping[str, Sweep] = {sweep.name: sweep for sweep in sweeps}
        self._runs = runs
        self._clock = clock
        self._chance = chance
        self._limits = limits

    def run(self, name: str, by: str) -> Sequence[SweepRun]:
        """Run a sweep, or those of `ALL`, and return what was recorded of each.

        Args:
            name: A sweep's name, or ``all``.
            by: Who asks for it.

        Raises:
            NotFound: There is no such sweep; the message lists those there are.
            TransientError: The database does not answer.
        """
        names = ALL if name == "all" else (name,)
        for each in names:
            if each not in self.sweeps:
                known = ", ".join((*self.sweeps, "all"))
                raise NotFound(codes.SWEEP_UNKNOWN, f"There is no sweep {each!r}; there are: {known}.")
        give_up = self._clock.monotonic() + self._limits.patience.total_seconds()
        return [self._run(self.sweeps[each], by, give_up) for each in names]

    def _run(self, sweep: Sweep, by: str, give_up: float) -> SweepRun:
        request = RunRequest(sweep.name, by, self._chance.token(), sweep.period, self._limits.lease)
        run_id = self._begin(request, give_up)
        if run_id is None:
            logger.warning("sweep skipped", extra={"sweep": sweep.name})
            return self._runs.skip(request)
        run = _Run(run_id, sweep, self._runs, self._clock, self._limits)
        error = run.sweep_all()
        report = run.tally.report()
        if report.fixed or error:
            logger.info("sweep mended", extra={"sweep": sweep.name, "actions": list(report.actions)})
        status = RunStatus.COMPLETED if error is None else RunStatus.FAILED
        return self._runs.end(run_id, status, report, error)

    def _begin(self, request: RunRequest, give_up: float) -> int | None:
        while True:
            run_id = self._runs.begin(request)
            if run_id is not None or self._clock.monotonic() >= give_up:
                return run_id
            self._clock.sleep(_LOOK_AGAIN)


class _Run:
    """One run of a sweep under the lease."""

    def __init__(
        self, run_id: int, sweep: Sweep, runs: SweepRuns, clock: Clock, limits: JanitorLimits
    ) -> None:
        self.tally = Tally()
        self._run_id = run_id
        self._sweep = sweep
        self._runs = runs
        self._clock = clock
        self._lease = limits.lease
        self._kept_at = clock.monotonic()
        self._end = self._kept_at + limits.budget.total_seconds()

    def sweep_all(self) -> JsonObject | None:
        """Run every rule, each in its share of the time that is left; return the first error."""
        first: JsonObject | None = None
        for index, rule in enumerate(self._sweep.rules):
            now = self._clock.monotonic()
            share = max(self._end - now, 0.0) / (len(self._sweep.rules) - index)
            try:
                self._follow(rule, now + share)
            except _LeaseLost:
                return {"code": codes.SWEEP_RUN_LOST.code, "message": "Another run took the lease over."}
            except Exception as error:
                # The edge of a rule: what breaks in one must not keep the others from mending.
                logger.exception("rule broken", extra={"sweep": self._sweep.name, "rule": _name(rule)})
                first = first or _as_json(rule, error)
        return first

    def _follow(self, rule: Rule, end: float) -> None:
        for step in rule():
            self.tally.add(step)
            now = self._clock.monotonic()
            if now - self._kept_at > self._lease.total_seconds() / _RENEWALS:
                self._keep(now)
            if now > end:
                self.tally.add(Step("left the rest to the next run", facts={"rule": _name(rule)}))
                return

    def _keep(self, now: float) -> None:
        """Renew the lease, and leave word of what was done so far."""
        self._kept_at = now
        if not self._runs.keep(self._run_id, self._lease, self.tally.report()):
            raise _LeaseLost


def _name(rule: Rule) -> str:
    return getattr(rule, "__name__", type(rule).__name__)


def _as_json(rule: Rule, error: Exception) -> JsonObject:
    if isinstance(error, TerraneError):
        return error.as_json() | {"rule": _name(rule)}
    message = f"{type(error).__name__}: {error}"
    return {"code": codes.SWEEP_RULE_FAILED.code, "message": message, "rule": _name(rule)}
