"""Tasks whose workers have fallen silent: what will become of each, and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.json import rfc3339
from core.models.janitor import SilentTask, SweepState
from core.sweep_health import is_overdue

Action = Literal["requeue", "fail", "cancel"]


@dataclass(frozen=True)
class Fate:
    """What becomes of a silent task.

    Args:
        action: ``requeue``: another worker takes it; ``fail`` or ``cancel``: it ends.
        not_before: Until then its worker may come back: its lease, or the pause after an outage.
        due_by: When the watchdog does it, unless a worker that looks for work does it before, or
            its own worker comes back; None while the watchdog is overdue itself.
        sentence: The same for people.
    """

    action: Action
    not_before: datetime
    due_by: datetime | None
    sentence: str


def fate(task: SilentTask, watchdog: SweepState, max_rescues: int) -> Fate:
    """Return what becomes of a silent task.

    Args:
        task: The task.
        watchdog: The runs of ``task_watchdog``.
        max_rescues: Deaths of workers that a task survives.
    """
    not_before = max(task.lease_until, task.rescue_after or task.lease_until)
    due_by = None if is_overdue(watchdog) else _next_run(watchdog, not_before)
    action, what = _outcome(task, not_before, max_rescues)
    when = f"by {rfc3339(due_by)}" if due_by else "when the watchdog runs again, which is overdue"
    sentence = (
        f"Worker {task.worker} has been silent for {task.silence.total_seconds():.0f} s. "
        f"It may come back until {rfc3339(not_before)}; then the task {what}, {when}."
    )
    return Fate(action, not_before, due_by, sentence)


def _outcome(task: SilentTask, at: datetime, max_rescues: int) -> tuple[Action, str]:
    if task.stopping and task.kind != "cleanup":
        return "cancel", "is cancelled with its job"
    if task.deadline <= at:
        return "fail", "fails, for its deadline has passed (task.deadline)"
    if task.rescues >= max_rescues:
        return "fail", f"fails, for {task.rescues} of its workers died before (task.worker_lost)"
    return "requeue", f"goes back into the queue (rescue {task.rescues + 1} of {max_rescues})"


def _next_run(watchdog: SweepState, at: datetime) -> datetime:
    """Return the watchdog's first run that is still to come and finds the lease over."""
    began = watchdog.last.started_at if watchdog.last else watchdog.since
    earliest = max(at, watchdog.now)
    missed = (earliest - began) // watchdog.period
    return began + (missed + 1) * watchdog.period
