"""CoreMachine: what a worker does when a bell rings."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from core import codes
from core.bells import Bells
from core.errors import TransientError
from core.executor import Executor, release
from core.heart import Heart, Hold
from core.models.claims import ClaimedTask, ClaimRequest, FollowUp, TaskEnd
from core.ports.clock import Chance, Clock
from core.ports.engine import TaskRepository

logger = logging.getLogger(__name__)

T = TypeVar("T")

LANES = ("light", "heavy")

_RESCUE_BATCH = 50
_RESCUE_EVERY = 1.0
# A scan from the very start walks past what was taken before: it may cost a tenth of the time.
_FULL_SCAN_REST = 10
_FULL_SCAN_FIRST = 0.05
_FULL_SCAN_LAST = 1.0
_STEP_BACK = timedelta(seconds=1)
_QUICK_BATCH = 0.25
_LONG_BATCH = 2.0
_END_EVERY = 0.25
_FIRST_PAUSE = timedelta(milliseconds=100)
_LONGEST_PAUSE = timedelta(seconds=5)


def _is_plan(task: ClaimedTask) -> bool:
    return task.kind == "plan"


class Draining(Exception):
    """The process is going away: the bell must ring again elsewhere."""


@dataclass(frozen=True)
class MachineLimits:
    """How a worker takes its work.

    Args:
        lease: How long a claim holds without a heartbeat.
        claim_batch: Most light tasks claimed at once.
        invocation: How long one bell keeps a worker in the light lane.
        patience: How long it waits for a lost database before it gives the bell back.
    """

    lease: timedelta
    claim_batch: int
    invocation: timedelta
    patience: timedelta


@dataclass
class _LaneState:
    """Where a process is in a lane's order, and how much it takes at once."""

    start: tuple[int, datetime] | None = None
    full_scan_at: float = float("-inf")
    rescued_at: float = float("-inf")
    batch: int = 4


@dataclass(frozen=True)
class CoreMachine:
    """Claims, runs and ends tasks; several threads may share one.

    Args:
        worker: Name of this process, for people.
        tasks: Claims and ends.
        executor: Runs what was claimed.
        heart: Beats for it meanwhile.
        bells: Rings for what comes of it.
        clock: This process's clock.
        chance: For claim ids.
        limits: How much, for how long.
    """

    worker: str
    tasks: TaskRepository
    executor: Executor
    heart: Heart
    bells: Bells
    clock: Clock
    chance: Chance
    limits: MachineLimits
    _lanes: dict[str, _LaneState] = field(default_factory=lambda: {lane: _LaneState() for lane in LANES})
    _drain: threading.Event = field(default_factory=threading.Event)

    def drain(self) -> None:
        """Claim no more, and let everything that runs give itself back."""
        self._drain.set()
        self.heart.drain()

    @property
    def draining(self) -> bool:
        """Return whether `drain` was called."""
        return self._drain.is_set()

    def answer_bell(self, lane: str, delivery_count: int = 1) -> int:
        """Do the work that a bell announces; return how many tasks were taken.

        Args:
            lane: The lane that the bell names.
            delivery_count: Above 1, its first holder may have died before it rang for others.

        Raises:
            Draining: The process is going away.
            TransientError: The database stayed away for longer than the patience.
        """
        if delivery_count > 1:
            self._ring_others(lane)
        taken = self._work_light() if lane == "light" else self._work_heavy(lane)
        if self._drain.is_set():
            raise Draining
        return taken

    def _work_light(self) -> int:
        began = self.clock.monotonic()
        taken = 0
        while not self._drain.is_set():
            limit = self._lanes["light"].batch
            claimed = self._claim("light", limit)
            if not claimed:
                return taken
            if len(claimed) < limit:
                self._schedule("light")
            self._run_batch(claimed)
            taken += len(claimed)
            if self.clock.monotonic() - began > self.limits.invocation.total_seconds():
                if not self._ring_for_rest("light"):
                    self._schedule("light")
                return taken
        return taken

    def _work_heavy(self, lane: str) -> int:
        claimed = [] if self._drain.is_set() else self._claim(lane, 1)
        if claimed:
            if not self._ring_for_rest(lane):
                self._schedule(lane)
            self._run_batch(claimed)
        return len(claimed)

    def _claim(self, lane: str, limit: int) -> Sequence[ClaimedTask]:
        """Take tasks; what a scan from the very start does not find is not there now.

        The turns of a large job lie ahead of time, so that whoever comes later goes first: a scan that
        begins where the last one ended does not see him.
        """
        state = self._lanes[lane]
        now = self.clock.monotonic()
        if state.start is not None and now < state.full_scan_at:
            claimed = self._try_claim(lane, limit, state.start)
            if claimed:
                return claimed
        # Also while there is other work: a lane with a backlog never runs empty.
        self._rescue(state, now)
        claimed = self._scan(state, lane, limit)
        if not claimed:
            state.start = None
            self._schedule(lane)
        return claimed

    def _scan(self, state: _LaneState, lane: str, limit: int) -> Sequence[ClaimedTask]:
        began = self.clock.monotonic()
        claimed = self._try_claim(lane, limit, None)
        ended = self.clock.monotonic()
        rest = max(_FULL_SCAN_FIRST, min((ended - began) * _FULL_SCAN_REST, _FULL_SCAN_LAST))
        state.full_scan_at = ended + rest
        return claimed

    def _try_claim(self, lane: str, limit: int, start: tuple[int, datetime] | None) -> Sequence[ClaimedTask]:
        request = ClaimRequest(lane, limit, self.worker, self.chance.token(), self.limits.lease, start)
        claimed = self._patiently(lambda: self.tasks.claim(request), again=lambda: self._claim_again(request))
        if claimed:
            last = max((task.rank, task.turn) for task in claimed)
            self._lanes[lane].start = (last[0], last[1] - _STEP_BACK)
        return claimed

    def _claim_again(self, request: ClaimRequest) -> Sequence[ClaimedTask]:
        return self.tasks.claimed(request) or self.tasks.claim(request)

    def _rescue(self, state: _LaneState, now: float) -> None:
        if now - state.rescued_at < _RESCUE_EVERY:
            return
        state.rescued_at = now
        ended = self._patiently(lambda: self.tasks.rescue(_RESCUE_BATCH))
        if ended.answers:
            logger.warning("claims rescued", extra={"number": len(ended.answers)})
        self._follow(ended.follow_ups)

    def _run_batch(self, claimed: Sequence[ClaimedTask]) -> None:
        # A plan may be long: whatever came behind it in its batch would wait with it.
        holds = [self.heart.hold(task) for task in sorted(claimed, key=_is_plan)]
        began = self.clock.monotonic()
        try:
            self._run_holds(holds)
        finally:
            # What could not be ended is nobody's work any more: its lease must run out.
            for hold in holds:
                self.heart.let_go(hold.task.task_id, hold.task.fence)
        self._adapt(self._lanes[claimed[0].lane], self.clock.monotonic() - began)

    def _run_holds(self, holds: Sequence[Hold]) -> None:
        """Run tasks one after the other and end them together; give back what takes too long to reach."""
        began = ended_at = self.clock.monotonic()
        ends: list[TaskEnd] = []
        for index, hold in enumerate(holds):
            now = self.clock.monotonic()
            if index and (now - began > _LONG_BATCH or self._drain.is_set()):
                ends += [release(late.task) for late in holds[index:]]
                break
            if now - ended_at > _END_EVERY or _is_plan(hold.task):
                self._end(ends)
                ends, ended_at = [], now
            executed = self.executor.run(hold)
            if executed.end is not None:
                ends.append(executed.end)
            else:
                self.heart.let_go(hold.task.task_id, hold.task.fence)
            if executed.ended is not None:
                self._follow(executed.ended.follow_ups)
        self._end(ends)

    def _end(self, ends: Sequence[TaskEnd]) -> None:
        if not ends:
            return
        try:
            ended = self._patiently(lambda: self.tasks.end(ends))
        finally:
            for end in ends:
                self.heart.let_go(end.task_id, end.fence)
        self._follow(ended.follow_ups)
        if any(answer.answer == "already" for answer in ended.answers):
            # An earlier call did it and its answer was lost, and with it what it asked to ring.
            for lane in LANES:
                self.bells.ring(lane)

    def _follow(self, follow_ups: Sequence[FollowUp]) -> None:
        self._patiently(lambda: self.bells.follow(follow_ups))

    def _adapt(self, state: _LaneState, seconds: float) -> None:
        if seconds < _QUICK_BATCH:
            state.batch = min(state.batch * 2, self.limits.claim_batch)
        elif seconds > _LONG_BATCH:
            state.batch = 1

    def _ring_for_rest(self, lane: str) -> bool:
        """Ring if the lane has more to do; return whether it has."""
        more = bool(self._patiently(lambda: self.tasks.runnable(lane, 1)))
        if more:
            self.bells.ring(lane)
        return more

    def _schedule(self, lane: str) -> None:
        """See to it that a bell rings when the first lease ends or the first pause is over.

        Also for what was just taken, where no bell is left that goes round: if this process dies, its
        own bell comes again only when the bus's lock on it ends, which is later than the lease.
        """
        self._patiently(lambda: self.bells.schedule(lane))

    def _ring_others(self, lane: str) -> None:
        for other in LANES:
            if other != lane:
                self._ring_for_rest(other)

    def _patiently(self, call: Callable[[], T], again: Callable[[], T] | None = None) -> T:
        """Repeat an idempotent call until the database answers, or patience ends."""
        began = self.clock.monotonic()
        pause = _FIRST_PAUSE
        attempt = call
        while True:
            try:
                return attempt()
            except TransientError as error:
                if error.code is not codes.DATABASE_UNAVAILABLE:
                    raise
                if self.clock.monotonic() - began > self.limits.patience.total_seconds():
                    raise
                logger.warning("database awaited", extra={"reason": error.message})
            self.clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            attempt = again or call
