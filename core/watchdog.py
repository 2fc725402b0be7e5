"""task_watchdog: rescue what is silent, fail what is past its deadline, ring for what nobody takes."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core.bells import Bells
from core.machine import LANES
from core.models.claims import Ended
from core.ports.engine import TaskRepository
from core.ports.queue import MessageQueue
from core.sweeps import Rule, Step

_BATCH = 50
_DEAD_LETTERS = 500


@dataclass(frozen=True)
class TaskWatchdog:
    """Mends what lost messages and dead workers leave behind.

    Stateless and idempotent: two that run at once do no harm. A lease and a deadline are themselves
    the age from which on a task is looked at.

    Args:
        tasks: Where leases and deadlines are.
        queue: Where dead letters gather.
        bells: For what comes of it.
    """

    tasks: TaskRepository
    queue: MessageQueue
    bells: Bells

    @property
    def rules(self) -> Sequence[Rule]:
        """Return the rules in order: the bus last, for tasks are mended without it."""
        return self.rescue, self.expire, self.ring, self.drain_dead_letters

    def rescue(self) -> Iterator[Step]:
        """End the claims of silent workers: back into the queue, or failed past their limits."""
        return self._batches(self.tasks.rescue)

    def expire(self) -> Iterator[Step]:
        """Fail queued tasks whose deadline has passed."""
        return self._batches(self.tasks.expire)

    def ring(self) -> Iterator[Step]:
        """Ring in lanes that have runnable tasks and have claimed nothing for a period."""
        for lane in self.tasks.silent_lanes():
            number = self.tasks.runnable(lane, self.bells.most)
            self.bells.ring(lane, max(number, 1))
            yield Step("rang", number=number, facts={"lane": lane})

    def drain_dead_letters(self) -> Iterator[Step]:
        """Remove what the bus gave up on; a dead bell means nothing, anything else is recorded."""
        for lane in LANES:
            letters = self.queue.drain_dead_letters(lane, _DEAD_LETTERS)
            strange = [letter.body[:200] for letter in letters if not _is_bell(letter.body)]
            bells = len(letters) - len(strange)
            if bells:
                yield Step("removed dead bells", number=bells, facts={"lane": lane})
            if strange:
                yield Step("removed messages that are no bells", strange, facts={"lane": lane})

    def _batches(self, mend: Callable[[int], Ended]) -> Iterator[Step]:
        while True:
            ended = mend(_BATCH)
            self.bells.follow(ended.follow_ups)
            for outcome in sorted({answer.outcome for answer in ended.answers}):
                tasks = [answer.task_id for answer in ended.answers if answer.outcome == outcome]
                yield Step(_ENDS.get(outcome, outcome), tasks)
            if len(ended.answers) < _BATCH:
                return


#: What became of a silent or overdue task, as the record of a run tells it.
_ENDS = {"rescue": "rescued", "failed": "failed past their limits", "cancelled": "cancelled with their jobs"}


def _is_bell(body: str) -> bool:
    try:
        message = json.loads(body)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("lane") in LANES
