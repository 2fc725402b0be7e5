"""Runs of the janitor's sweeps in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile

from core import codes
from core.json import JsonObject
from core.models.janitor import RunStatus, SweepRun, SweepState, SweepTotals
from core.ports.janitor import Report, RunFilter, RunRequest
from infrastructure.memory.state import EngineState


class InMemorySweepRuns:
    """`core.ports.janitor.SweepRuns` on an `EngineState`.

    Args:
        state: The tables.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def begin(self, request: RunRequest) -> int | None:
        """Take the lease and record a run."""
        with self._state.locked() as now:
            rows = self._state.janitor
            if rows.holder == request.holder:
                return rows.run_id
            if rows.until is not None and rows.until >= now:
                return None
            self._bury_the_dead(now)
            run = self._record(request, RunStatus.RUNNING, now)
            rows.run_id, rows.holder, rows.until = run.run_id, request.holder, now + request.lease
            rows.periods[request.sweep] = request.period
            if request.sweep == "task_watchdog":
                self._state.engine.watchdog_period = request.period
            return run.run_id

    def keep(self, run_id: int, lease: timedelta, report: Report) -> bool:
        """Renew the lease and record what was done so far."""
        with self._state.locked() as now:
            rows = self._state.janitor
            if rows.run_id != run_id:
                return False
            rows.until = now + lease
            self._change(run_id, report)
            return True

    def end(self, run_id: int, status: RunStatus, report: Report, error: JsonObject | None) -> SweepRun:
        """Record the end of a run and give the lease back."""
        with self._state.locked() as now:
            rows = self._state.janitor
            if rows.run_id == run_id:
                rows.run_id = rows.holder = rows.until = None
            run = self._change(run_id, report)
            if run.status is not RunStatus.RUNNING:
                return run
            return self._replace(replace(run, status=status, ended_at=now, error=error))

    def skip(self, request: RunRequest) -> SweepRun:
        """Record that a sweep did not run."""
        with self._state.locked() as now:
            return self._replace(replace(self._record(request, RunStatus.SKIPPED, now), ended_at=now))

    def runs(self, where: RunFilter, limit: int, before: int | None) -> Sequence[SweepRun]:
        """Return runs, newest first."""
        with self._state.locked():
            wanted = [
                run
                for run in reversed(self._state.janitor.runs)
                if _matches(run, where) and (before is None or run.run_id < before)
            ]
            return wanted[:limit]

    def states(self) -> Sequence[SweepState]:
        """Return how each sweep is doing."""
        with self._state.locked() as now:
            periods = self._state.janitor.periods
            return [self._state_of(sweep, now) for sweep in sorted(periods, key=lambda s: (periods[s], s))]

    def totals(self, within: timedelta) -> SweepTotals:
        """Return what the runs of a while came to."""
        with self._state.locked() as now:
            runs = [run for run in self._state.janitor.runs if run.started_at >= now - within]
            return SweepTotals(
                runs=len(runs),
                failed=sum(run.status is RunStatus.FAILED for run in runs),
                skipped=sum(run.status is RunStatus.SKIPPED for run in runs),
                fixed=sum(run.fixed for run in runs),
            )

    def prune(self, age: timedelta, limit: int) -> int:
        """Remove runs that nobody will ask for again."""
        with self._state.locked() as now:
            runs = self._state.janitor.runs
            old = [r for r in runs if r.started_at < now - age and r.status is not RunStatus.RUNNING]
            for run in old[:limit]:
                runs.remove(run)
            return len(old[:limit])

    def _record(self, request: RunRequest, status: RunStatus, now: datetime) -> SweepRun:
        runs = self._state.janitor.runs
        run_id = runs[-1].run_id + 1 if runs else 1
        run = SweepRun(run_id, request.sweep, status, request.by, now)
        runs.append(run)
        return run

    def _bury_the_dead(self, now: datetime) -> None:
        message = "The process that ran it fell silent."
        error = {"code": codes.SWEEP_RUN_LOST.code, "message": message}
        for run in list(self._state.janitor.runs):
            if run.status is RunStatus.RUNNING:
                self._replace(replace(run, status=RunStatus.FAILED, ended_at=now, error=error))

    def _change(self, run_id: int, report: Report) -> SweepRun:
        [run] = [run for run in self._state.janitor.runs if run.run_id == run_id]
        if run.status is not RunStatus.RUNNING:
            return run
        return self._replace(
            replace(run, scanned=report.scanned, fixed=report.fixed, actions=tuple(report.actions))
        )

    def _replace(self, run: SweepRun) -> SweepRun:
        runs = self._state.janitor.runs
        runs[[each.run_id for each in runs].index(run.run_id)] = run
        return run

    def _state_of(self, sweep: str, now: datetime) -> SweepState:
        rows = self._state.janitor
        runs = [run for run in reversed(rows.runs) if run.run_type == sweep]
        last = runs[0] if runs else None
        lapsed = last is not None and (rows.run_id != last.run_id or rows.until is None or rows.until < now)
        return SweepState(
            sweep=sweep,
            period=rows.periods[sweep],
            since=rows.since,
            now=now,
            last=last,
            completed_at=next((r.started_at for r in runs if r.status is RunStatus.COMPLETED), None),
            skips=len(list(takewhile(lambda run: run.status is RunStatus.SKIPPED, runs))),
            dead=last is not None and last.status is RunStatus.RUNNING and lapsed,
        )


def _matches(run: SweepRun, where: RunFilter) -> bool:
    return (
        where.sweep in (None, run.run_type)
        and where.status in (None, run.status)
        and (where.started_after is None or run.started_at >= where.started_after)
        and (where.started_before is None or run.started_at < where.started_before)
    )
