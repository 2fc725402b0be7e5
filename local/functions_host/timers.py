"""Runs timer triggers, in one worker of the host only."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.functions.meta import Datum
from azure.functions.timer import TimerRequestConverter

from local.functions_host.context import continue_trace
from local.functions_host.invocation import Invoker
from local.functions_host.model import FunctionSpec, TimerTrigger

logger = logging.getLogger(__name__)

# A sleeping laptop stops the loop's clock, so the time of day is looked at this often.
LONGEST_SLEEP = timedelta(seconds=30)
# Below this the real host keeps no record of runs: one that is missed is soon made up for.
LEAST_MONITORED_PERIOD = timedelta(minutes=1)


class Timer:
    """One timer: its runs never overlap; occurrences that pass during a run are left out.

    Args:
        state: Directory where it remembers its runs.
    """

    def __init__(self, function: FunctionSpec, state: Path, invoker: Invoker) -> None:
        if not isinstance(function.trigger, TimerTrigger):
            raise TypeError(f"{function.name} has no timer trigger")
        self._function = function
        self._trigger = function.trigger
        self._invoker = invoker
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._monitor = Monitor(state / f"{function.name}.json") if _is_monitored(function.trigger) else None

    def start(self) -> None:
        """Wait for the next occurrence in the background."""
        self._task = asyncio.create_task(self._run(), name=f"timer {self._function.name}")

    def stop(self) -> None:
        """Start no further run; one that is under way goes on."""
        self._stopping.set()

    async def wait_closed(self) -> None:
        """Return when the last run has ended."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        due = self._trigger.schedule.next_after(datetime.now(UTC))
        past_due = self._monitor is not None and self._monitor.is_past_due(self._trigger.expression)
        if past_due or self._trigger.run_on_startup:
            due = await self._fire(datetime.now(UTC), past_due=past_due)
        elif self._monitor is not None:
            self._monitor.plan(self._trigger.expression, due)
        while await self._sleep_until(due):
            due = await self._fire(due, past_due=False)

    async def _sleep_until(self, due: datetime) -> bool:
        while not self._stopping.is_set():
            wait = due - datetime.now(UTC)
            if wait <= timedelta(0):
                return True
            try:
                await asyncio.wait_for(self._stopping.wait(), min(wait, LONGEST_SLEEP).total_seconds())
            except TimeoutError:
                continue
        return False

    async def _fire(self, due: datetime, *, past_due: bool) -> datetime:
        following = self._trigger.schedule.next_after(due)
        request = self._request(past_due=past_due, following=following)
        try:
            await self._invoker.invoke(self._function, request, continue_trace(None))
        except Exception as error:  # noqa: BLE001 - the invoker has logged it; the timer goes on.
            logger.debug("timer run failed", extra={"function": self._function.name, "error": repr(error)})
        now = datetime.now(UTC)
        if following <= now:
            following = self._trigger.schedule.next_after(now)
        if self._monitor is not None:
            self._monitor.record(self._trigger.expression, due, following)
        return following

    def _request(self, *, past_due: bool, following: datetime) -> object:
        last = self._monitor.last if self._monitor is not None else None
        document = {
            "IsPastDue": past_due,
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": {"Last": last, "LastUpdated": last, "Next": following.isoformat()},
        }
        return TimerRequestConverter.decode(Datum(json.dumps(document), "json"), trigger_metadata={})


def _is_monitored(trigger: TimerTrigger) -> bool:
    first = trigger.schedule.next_after(datetime.now(UTC))
    return trigger.use_monitor and trigger.schedule.next_after(first) - first >= LEAST_MONITORED_PERIOD


class Monitor:
    """Remembers in a file when a timer ran and when it is due, to notice what was missed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._status = self._read()

    @property
    def last(self) -> str | None:
        """When the timer last ran, in ISO 8601."""
        return self._status.get("Last")

    def is_past_due(self, expression: str) -> bool:
        """Whether an occurrence passed while no host ran; a changed schedule starts afresh."""
        if self._status.get("Schedule") != expression:
            return False
        return datetime.fromisoformat(self._status["Next"]) < datetime.now(UTC)

    def plan(self, expression: str, due: datetime) -> None:
        """Note the next occurrence without a run."""
        self._write(self.last, expression, due)

    def record(self, expression: str, ran: datetime, due: datetime) -> None:
        """Note a run and the next occurrence."""
        self._write(ran.isoformat(), expression, due)

    def _write(self, last: str | None, expression: str, due: datetime) -> None:
        self._status = {"Last": last, "Next": due.isoformat(), "Schedule": expression}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # A crash between the two leaves the former file whole.
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self._status), "utf-8")
        temporary.replace(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            status = json.loads(self._path.read_text("utf-8"))
            datetime.fromisoformat(status["Next"])
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("timer state unreadable", extra={"path": str(self._path), "error": repr(error)})
            return {}
        return dict(status)
