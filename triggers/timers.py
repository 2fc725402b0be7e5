"""Timer triggers: the janitor's sweeps."""

import logging

import azure.functions as func

from triggers.bootstrap import app

logger = logging.getLogger(__name__)

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="%JANITOR_TASK_WATCHDOG_SCHEDULE%", use_monitor=True)
def task_watchdog(timer: func.TimerRequest) -> None:
    """Rescue silent tasks, fail overdue ones, ring for lanes that nobody serves."""
    _sweep("task_watchdog", timer)


@blueprint.timer_trigger(arg_name="timer", schedule="%JANITOR_JOB_HEALTH_SCHEDULE%", use_monitor=True)
def job_health(timer: func.TimerRequest) -> None:
    """Make ledgers agree with tasks, and move on what is over."""
    _sweep("job_health", timer)


@blueprint.timer_trigger(arg_name="timer", schedule="%JANITOR_ORPHAN_DETECTOR_SCHEDULE%", use_monitor=True)
def orphan_detector(timer: func.TimerRequest) -> None:
    """Bring back, or remove, what has lost what it belongs to."""
    _sweep("orphan_detector", timer)


@blueprint.timer_trigger(arg_name="timer", schedule="%JANITOR_PRUNE_SCHEDULE%", use_monitor=True)
def prune(timer: func.TimerRequest) -> None:
    """Remove what nobody will ask for again."""
    _sweep("prune", timer)


def _sweep(name: str, timer: func.TimerRequest) -> None:
    if not app().settings.janitor.enabled:
        return
    if timer.past_due:
        logger.warning("sweep late", extra={"sweep": name})
    app().janitor.run(name, "timer")
