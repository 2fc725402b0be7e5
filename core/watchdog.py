"""task_watchdog: rescue what is silent, fail what is past its deadline, ring for what nobody takes."""

import json
import logging
from dataclasses import dataclass, field
from typing import Any

from core.bells import Bells
from core.machine import LANES
from core.ports.engine import TaskRepository
from core.ports.queue import MessageQueue

logger = logging.getLogger(__name__)

_BATCH = 50
_MOST_BATCHES = 200
_DEAD_LETTERS = 500


@dataclass
class SweepReport:
    """What a sweep looked at and what it did."""

    scanned: int = 0
    fixed: int = 0
    actions: list[dict[str, Any]] = field(default_factory=list)

    def note(self, action: str, number: int, **facts: Any) -> None:
        """Record something that was done; nothing done is not recorded."""
        self.scanned += number
        if number:
            self.fixed += number
            self.actions.append({"action": action, "number": number, **facts})


@dataclass(frozen=True)
class TaskWatchdog:
    """Mends what lost messages and dead workers leave behind.

    Stateless and idempotent: two that run at once do no harm.

    Args:
        tasks: Where leases and deadlines are.
        queue: Where dead letters gather.
        bells: For what comes of it.
    """

    tasks: TaskRepository
    queue: MessageQueue
    bells: Bells

    def sweep(self) -> SweepReport:
        """Run every rule once, in bounded batches; the next sweep goes on."""
        report = SweepReport()
        for lane in LANES:
            self._drain_dead_letters(lane, report)
        self._rescue(report)
        self._expire(report)
        for lane in self.tasks.silent_lanes():
            number = self.tasks.runnable(lane, self.bells.most)
            self.bells.ring(lane, max(number, 1))
            report.note("rang", number, lane=lane)
        if report.fixed:
            logger.info("watchdog mended", extra={"actions": report.actions})
        return report

    def _drain_dead_letters(self, lane: str, report: SweepReport) -> None:
        letters = self.queue.drain_dead_letters(lane, _DEAD_LETTERS)
        bells = [letter for letter in letters if _is_bell(letter.body)]
        report.note("removed dead bells", len(bells), lane=lane)
        for letter in letters:
            if not _is_bell(letter.body):
                report.note("removed a message that is no bell", 1, lane=lane, body=letter.body[:200])

    def _rescue(self, report: SweepReport) -> None:
        for _ in range(_MOST_BATCHES):
            ended = self.tasks.rescue(_BATCH)
            self.bells.follow(ended.follow_ups)
            tasks = [answer.task_id for answer in ended.answers]
            report.note("rescued", len(tasks), tasks=tasks)
            if len(ended.answers) < _BATCH:
                return

    def _expire(self, report: SweepReport) -> None:
        for _ in range(_MOST_BATCHES):
            ended = self.tasks.expire(_BATCH)
            self.bells.follow(ended.follow_ups)
            tasks = [answer.task_id for answer in ended.answers]
            report.note("failed past their deadline", len(tasks), tasks=tasks)
            if len(ended.answers) < _BATCH:
                return


def _is_bell(body: str) -> bool:
    try:
        message = json.loads(body)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("lane") in LANES
