"""Whether the janitor itself is well."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from core.json import rfc3339
from core.models.janitor import RunStatus, SweepState

Condition = Literal["ok", "running", "waiting", "skipping", "failing", "dead", "overdue", "disabled"]

#: As `app.violations` has it: two periods, and a minute for the run itself.
_MISSED = 2
_GRACE = timedelta(minutes=1)
_SKIPS = 2


@dataclass(frozen=True)
class SweepHealth:
    """How a sweep is doing, for machines and for people."""

    condition: Condition
    sentence: str

    @property
    def well(self) -> bool:
        """Return whether nobody needs to look."""
        return self.condition in ("ok", "running", "waiting")


def judge(state: SweepState, *, enabled: bool) -> SweepHealth:
    """Say how a sweep is doing; the worst that is true of it.

    Args:
        state: Its runs.
        enabled: Whether timers may run it.
    """
    if not enabled:
        return SweepHealth("disabled", "JANITOR_ENABLED is false: no timer runs it.")
    if state.dead and state.last is not None:
        return SweepHealth(
            "dead",
            f"Its run of {rfc3339(state.last.started_at)} never ended and its process is silent; the next "
            "run of any sweep closes it and goes on.",
        )
    if is_overdue(state):
        return SweepHealth(
            "overdue",
            f"It has not run to its end since {rfc3339(last_good(state))}, though it should every "
            f"{state.period}. See that the timers of the function app run, then POST /api/cleanup/run"
            f"?type={state.sweep}.",
        )
    return _by_last_run(state)


def _by_last_run(state: SweepState) -> SweepHealth:
    if state.last is None:
        return SweepHealth("waiting", f"It has not run yet; it runs every {state.period}.")
    at = rfc3339(state.last.started_at)
    if state.skips >= _SKIPS:
        return SweepHealth(
            "skipping", f"Its last {state.skips} runs were skipped: other sweeps held the lease for too long."
        )
    if state.last.status is RunStatus.RUNNING:
        return SweepHealth("running", f"It has been running since {at}.")
    if state.last.status is RunStatus.FAILED:
        message = (state.last.error or {}).get("message", "no reason is recorded")
        return SweepHealth("failing", f"Its run of {at} failed: {message}")
    return SweepHealth(
        "ok", f"It last ran at {at}, looked at {state.last.scanned} and mended {state.last.fixed}."
    )


def last_good(state: SweepState) -> datetime:
    """Return when the sweep last began a run that it ended, or from when on it was expected to."""
    return max(state.completed_at or state.since, state.since)


def is_overdue(state: SweepState) -> bool:
    """Return whether the sweep has missed two of its periods."""
    return last_good(state) < state.now - _MISSED * state.period - _GRACE
