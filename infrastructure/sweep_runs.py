"""Runs of the janitor's sweeps in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from core.json import JsonObject
from core.models.janitor import RunStatus, SweepRun, SweepState, SweepTotals
from core.ports.janitor import Report, RunFilter, RunRequest
from infrastructure import rows
from infrastructure.database import Database
from infrastructure.sql import load

_QUERIES = load("sweeps")


class PostgresSweepRuns:
    """`core.ports.janitor.SweepRuns` on the tables of migration 0010.

    Args:
        database: The app database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, request: RunRequest) -> int | None:
        """Take the lease and record a run."""
        row = self._database.fetch_one(_QUERIES["begin"], asdict(request))
        return row["run_id"] if row else None

    def keep(self, run_id: int, lease: timedelta, report: Report) -> bool:
        """Renew the lease and record what was done so far."""
        row = self._database.fetch_one(_QUERIES["keep"], {"run_id": run_id, "lease": lease} | _report(report))
        return bool(row and row["kept"])

    def end(self, run_id: int, status: RunStatus, report: Report, error: JsonObject | None) -> SweepRun:
        """Record the end of a run and give the lease back."""
        parameters = {
            "run_id": run_id,
            "status": status.value,
            "error": None if error is None else Jsonb(error),
        }
        return _run(self._database.fetch_one(_QUERIES["end"], parameters | _report(report)) or {})

    def skip(self, request: RunRequest) -> SweepRun:
        """Record that a sweep did not run."""
        return _run(self._database.fetch_one(_QUERIES["skip"], asdict(request)) or {})

    def runs(self, where: RunFilter, limit: int, before: int | None) -> Sequence[SweepRun]:
        """Return runs, newest first."""
        parameters = asdict(where) | {"limit": limit, "before": before}
        return [_run(row) for row in self._database.fetch_all(_QUERIES["list"], parameters)]

    def states(self) -> Sequence[SweepState]:
        """Return how each sweep is doing."""
        return [_state(row) for row in self._database.fetch_all(_QUERIES["states"])]

    def totals(self, within: timedelta) -> SweepTotals:
        """Return what the runs of a while came to."""
        return rows.pick(SweepTotals, self._database.fetch_one(_QUERIES["totals"], {"within": within}) or {})

    def prune(self, age: timedelta, limit: int) -> int:
        """Remove runs that nobody will ask for again."""
        return self._database.execute(_QUERIES["prune"], {"age": age, "limit": limit})


def _report(report: Report) -> dict[str, Any]:
    return {"scanned": report.scanned, "fixed": report.fixed, "actions": Jsonb(list(report.actions))}


def _run(row: Mapping[str, Any]) -> SweepRun:
    return rows.pick(SweepRun, row, status=RunStatus(row["status"]), actions=tuple(row["actions"]))


def _state(row: Mapping[str, Any]) -> SweepState:
    return rows.pick(SweepState, row, last=_run(row) if row["run_id"] is not None else None)
