"""Heartbeats: one statement for all claims of a process, which also brings back bad news."""

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta

from core.errors import Stopped, TransientError
from core.models.claims import Beat, ClaimedTask
from core.ports.clock import Clock
from core.ports.engine import TaskRepository

logger = logging.getLogger(__name__)

# Long enough for every worker to renew its leases after an outage that silenced all of them.
_AFTER_OUTAGE = timedelta(seconds=15)
_MISSED_BEATS = 2


@dataclass
class Hold:
    """A claim that is being worked on, and why it should not be, if so.

    Args:
        task: The claim.
        reason: ``stopping``, ``lost`` or ``drain`` once it should end.
        progress: Last reported fraction of 1.
        message: Last reported sentence.
    """

    task: ClaimedTask
    reason: str | None = None
    progress: float | None = None
    message: str | None = None

    def check(self) -> None:
        """Raise `Stopped` if the claim should not be worked on any longer."""
        if self.reason is not None:
            raise Stopped(self.reason)


class Heart:
    """The claims that this process holds.

    Args:
        tasks: Where leases are renewed.
        lease: How long a renewal holds.
    """

    def __init__(self, tasks: TaskRepository, lease: timedelta) -> None:
        self._tasks = tasks
        self._lease = lease
        self._holds: dict[str, Hold] = {}
        self._lock = threading.Lock()
        self._draining = False
        self._silenced = False

    def hold(self, task: ClaimedTask) -> Hold:
        """Begin to beat for a claim."""
        hold = Hold(task, reason="drain" if self._draining else "stopping" if task.stopping else None)
        with self._lock:
            former = self._holds.get(task.task_id)
            self._holds[task.task_id] = hold
        if former is not None:
            # Another thread of this process works on a claim that it has lost without knowing.
            former.reason = "lost"
        return hold

    def let_go(self, task_id: str, fence: int) -> None:
        """Beat for a claim no longer; a later one on the same task is another thread's."""
        with self._lock:
            held = self._holds.get(task_id)
            if held is not None and held.task.fence == fence:
                del self._holds[task_id]

    @property
    def is_holding(self) -> bool:
        """Return whether any claim is being worked on."""
        return bool(self._held())

    @property
    def tasks(self) -> list[str]:
        """Return the ids of the tasks whose claims are being worked on."""
        return [hold.task.task_id for hold in self._held()]

    def drain(self) -> None:
        """Tell every claim, now and later, to give itself back."""
        self._draining = True
        for hold in self._held():
            hold.reason = hold.reason or "drain"

    def beat(self) -> None:
        """Renew every lease once, and tell the claims that are lost or whose jobs stop.

        Raises:
            TransientError: The database does not answer; the claims go on, their fences protect.
        """
        holds = self._held()
        if not holds:
            return
        try:
            if self._silenced:
                self._tasks.defer_rescue(_AFTER_OUTAGE)
                self._silenced = False
            answers = self._tasks.beat(
                [Beat(h.task.task_id, h.task.fence, h.progress, h.message) for h in holds], self._lease
            )
        except TransientError:
            self._silenced = True
            raise
        by_task = {hold.task.task_id: hold for hold in holds}
        for answer in answers:
            hold = by_task[answer.task_id]
            if answer.answer == "lost":
                hold.reason = "lost"
            elif answer.stopping:
                hold.reason = hold.reason or "stopping"

    def _held(self) -> list[Hold]:
        with self._lock:
            return list(self._holds.values())


class HeartThread:
    """Beats in the background for as long as the process lives.

    While native code or a driver waits, it lets other threads run, and this one beats. A call that
    does not, or a database that does not answer, silences it: that is logged when it is over, with
    the tasks that may have gone to others meanwhile.

    Args:
        heart: What beats.
        interval: Time between beats.
        clock: This process's clock.
    """

    def __init__(self, heart: Heart, interval: timedelta, clock: Clock) -> None:
        self._heart = heart
        self._interval = interval
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no longer."""
        self._stop.set()

    def _run(self) -> None:
        beaten_at = self._clock.monotonic()
        while not self._stop.wait(self._interval.total_seconds()):
            silence = self._clock.monotonic() - beaten_at
            tasks = self._heart.tasks
            if tasks and silence > _MISSED_BEATS * self._interval.total_seconds():
                facts = {"seconds": round(silence, 3), "tasks": tasks}
                logger.warning("heart stalled", extra=facts)
            beaten_at = self._clock.monotonic()
            try:
                self._heart.beat()
            except TransientError as error:
                logger.warning("heartbeat failed", extra={"reason": error.message})
            except Exception:
                # A heart that stops at its first bug takes every task of the process with it.
                logger.exception("heartbeat broken")
