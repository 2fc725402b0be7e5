"""The janitor's sweeps: run now, how they are, and what they did."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Literal

import azure.functions as func
from pydantic import Field

from core.json import JsonObject
from core.models.janitor import RunStatus, SweepRun, SweepState
from core.ports.janitor import RunFilter
from core.sweep_health import judge
from triggers.bootstrap import app
from triggers.http import views
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.janitor_schemas import (
    CleanupRan,
    CleanupRun,
    CleanupStatus,
    CleanupSummary,
    JanitorStatus,
    LastDay,
    SweepStatus,
)
from triggers.http.paging import RUN_ID, Moment, PageQuery, page, start
from triggers.http.requests import Call, Query
from triggers.http.schemas import Page

resource = Resource("Clean-up", "The janitor's sweeps: run now, how they are, and what they did.")

SweepName = Literal["task_watchdog", "job_health", "orphan_detector", "prune"]

_DAY = timedelta(hours=24)
_RECENT = 5
_MOST_HOURS = 24 * 366


class RunQuery(Query):
    """Which sweep to run."""

    type: Literal["task_watchdog", "job_health", "orphan_detector", "prune", "all"] = Field(
        description="`all` runs task_watchdog, job_health and orphan_detector, in this order."
    )


@resource.route(
    "POST",
    "cleanup/run",
    Contract(query=RunQuery, answers={HTTPStatus.OK: CleanupRan}, level=func.AuthLevel.ADMIN),
)
def run_cleanup(call: Call[RunQuery]) -> Reply:
    """Run a sweep now and say what it did; one at a time, so it may wait up to a minute for another."""
    by = f"http: {call.actor}"
    runs = app().janitor.run(call.query.type, by)
    done = sum(run.status is RunStatus.COMPLETED for run in runs)
    summary = CleanupSummary(
        total_scanned=sum(run.scanned for run in runs),
        total_fixed=sum(run.fixed for run in runs),
        runs_completed=done,
        all_success=done == len(runs),
    )
    return Reply(
        CleanupRan(
            status="success" if summary.all_success else "partial_failure",
            run_type=call.query.type,
            summary=summary,
            results=[_run(run) for run in runs],
            triggered_at=runs[0].started_at,
            triggered_by=by,
        )
    )


@resource.route("GET", "cleanup/status", Contract(query=Query, answers={HTTPStatus.OK: CleanupStatus}))
def cleanup_status(call: Call[Query]) -> Reply:  # noqa: ARG001 - every route is given its call
    """Say whether the janitor does its work: settings, schedules, and the last run of each sweep."""
    parts = app()
    states = parts.sweep_runs.states()
    enabled = parts.settings.janitor.enabled
    well = all(judge(state, enabled=enabled).well for state in states)
    return Reply(
        CleanupStatus(
            status="healthy" if well else "degraded",
            janitor=_janitor(),
            sweeps=[_sweep(state) for state in states],
            timestamp=states[0].now,
        )
    )


class HistoryQuery(PageQuery):
    """Which runs a list has."""

    type: SweepName | None = Field(default=None, description="Runs of this sweep.")
    status: RunStatus | None = Field(default=None, description="Runs in this state.")
    hours: float | None = Field(
        default=None, gt=0, le=_MOST_HOURS, description="Runs that began in the last so many hours."
    )
    started_after: Moment | None = Field(default=None, description="Runs that began then or later.")
    started_before: Moment | None = Field(default=None, description="Runs that began earlier.")


@resource.route(
    "GET", "cleanup/history", Contract(query=HistoryQuery, answers={HTTPStatus.OK: Page[CleanupRun]})
)
def cleanup_history(call: Call[HistoryQuery]) -> Reply:
    """List the runs of the sweeps with what they did, newest first."""
    query = call.query
    where = RunFilter(query.type, query.status, _since(query), query.started_before)
    records = app().sweep_runs.runs(where, query.limit + 1, start(query, RUN_ID))
    return Reply(page(call, records, _run, lambda run: run.run_id))


def _since(query: HistoryQuery) -> datetime | None:
    if query.hours is None:
        return query.started_after
    ago = app().sweep_runs.states()[0].now - timedelta(hours=query.hours)
    return max(ago, query.started_after) if query.started_after else ago


def _janitor() -> JanitorStatus:
    parts = app()
    totals = parts.sweep_runs.totals(_DAY)
    return JanitorStatus(
        enabled=parts.settings.janitor.enabled,
        config=_config(),
        last_24_hours=LastDay(
            total_runs=totals.runs,
            failed_runs=totals.failed,
            skipped_runs=totals.skipped,
            total_items_fixed=totals.fixed,
        ),
        recent_runs=_runs(parts.sweep_runs.runs(RunFilter(), _RECENT, None)),
    )


def _config() -> dict[str, float]:
    janitor, engine = app().settings.janitor, app().settings.engine
    return {
        "minimum_age_seconds": janitor.minimum_age_seconds,
        "intermediates_grace_hours": janitor.intermediates_grace_hours,
        "budget_seconds": janitor.budget_seconds,
        "lease_seconds": janitor.lease_seconds,
        "patience_seconds": janitor.patience_seconds,
        "retention_days": engine.retention_days,
        "task_heartbeat_seconds": engine.heartbeat_seconds,
        "task_lease_seconds": engine.lease_seconds,
        "max_rescues": engine.max_rescues,
    }


def _sweep(state: SweepState) -> SweepStatus:
    settings = app().settings.janitor
    health = judge(state, enabled=settings.enabled)
    return SweepStatus(
        sweep=state.sweep,
        schedule=settings.schedules[state.sweep],
        period_seconds=state.period.total_seconds(),
        condition=health.condition,
        sentence=health.sentence,
        last_completed_at=state.completed_at,
        skips_in_a_row=state.skips,
        last_run=_run(state.last) if state.last else None,
    )


def _runs(runs: Sequence[SweepRun]) -> list[CleanupRun]:
    return [_run(run) for run in runs]


def _run(run: SweepRun) -> CleanupRun:
    seconds = (run.ended_at - run.started_at).total_seconds() if run.ended_at else None
    return CleanupRun(
        run_id=run.run_id,
        run_type=run.run_type,
        status=run.status,
        triggered_by=run.triggered_by,
        started_at=run.started_at,
        ended_at=run.ended_at,
        duration_seconds=seconds,
        scanned=run.scanned,
        fixed=run.fixed,
        # The database keeps the keys of an object by their length.
        actions=[
            {key: action[key] for key in ("action", "number", "items")} | action for action in run.actions
        ],
        error=views.failure(run.error),
    )


def _readable(action: JsonObject) -> JsonObject:
    # The database keeps the keys of an object by their length.
    return {key: action[key] for key in ("action", "number", "items")} | action
