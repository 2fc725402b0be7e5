"""Bells: after a commit, say that a lane has work, and see to what follows from it."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.errors import TransientError
from core.models.claims import FollowUp
from core.ports.engine import JobRepository, TaskRepository
from core.ports.queue import MessageQueue

logger = logging.getLogger(__name__)

_CANCEL_BATCH = 500


@dataclass(frozen=True)
class Bells:
    """Does what a commit asks for. Losing any of it costs time, never work: the watchdog rings.

    Args:
        queue: The bus.
        jobs: For cancelling what a stopping job has queued.
        tasks: For the lanes' scheduled bells.
        most: Most bells rung for one commit in one lane.
    """

    queue: MessageQueue
    jobs: JobRepository
    tasks: TaskRepository
    most: int
    _doubted: set[str] = field(default_factory=set, repr=False)

    def follow(self, follow_ups: Sequence[FollowUp]) -> None:
        """Ring, schedule and cancel as the store answered; repeating it does no harm.

        Raises:
            TransientError: The database does not answer.
        """
        pending = list(follow_ups)
        rings: Counter[str] = Counter()
        later: set[str] = set()
        while pending:
            follow_up = pending.pop()
            if follow_up.action == "ring":
                rings[follow_up.subject] += follow_up.number
            elif follow_up.action == "later":
                later.add(follow_up.subject)
            else:
                pending += self._cancel(follow_up.subject, follow_up.number)
        for lane, number in rings.items():
            self.ring(lane, number)
        for lane in sorted(later):
            self.schedule(lane)

    def ring(self, lane: str, number: int = 1) -> None:
        """Ring at most `most` bells; a bus that does not answer is left to the watchdog."""
        try:
            self.queue.ring(lane, min(number, self.most))
        except TransientError as error:
            logger.warning("bells not rung", extra={"lane": lane, "number": number, "reason": error.message})

    def schedule(self, lane: str) -> None:
        """Send the lane's one scheduled bell, if nobody has sent a better one.

        Raises:
            TransientError: The database does not answer; a repetition sees to the bell all the same.
        """
        try:
            if lane in self._doubted:
                self.tasks.unschedule_bell(lane)
            delay = self.tasks.schedule_bell(lane)
        except TransientError:
            # Perhaps the right was taken and its answer lost; nobody else would send this bell then.
            self._doubted.add(lane)
            raise
        self._doubted.discard(lane)
        if delay is None:
            return
        try:
            self.queue.ring_later(lane, delay)
        except TransientError as error:
            self.tasks.unschedule_bell(lane)
            logger.warning("bell not scheduled", extra={"lane": lane, "reason": error.message})

    def _cancel(self, job_id: str, revision: int) -> list[FollowUp]:
        follow_ups: list[FollowUp] = []
        key: str | None = ""
        while key is not None:
            key, more = self.jobs.cancel_queued(job_id, revision, key, _CANCEL_BATCH)
            follow_ups += more
        return follow_ups
