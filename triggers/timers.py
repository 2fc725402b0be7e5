"""Timer triggers: the janitor's sweeps."""

import logging

import azure.functions as func

from triggers.bootstrap import app

logger = logging.getLogger(__name__)

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="%JANITOR_TASK_WATCHDOG_SCHEDULE%", use_monitor=True)
def task_watchdog(timer: func.TimerRequest) -> None:
    """Rescue silent tasks, fail overdue ones, ring for lanes that nobody serves."""
    if not app().settings.janitor.enabled:
        return
    if timer.past_due:
        logger.warning("watchdog late")
    app().watchdog.sweep()
