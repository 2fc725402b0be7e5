"""The in-memory stores under observation: laws that hold at every single call, and its history."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from core.errors import IllegalTransition
from core.json import JsonObject
from core.models.claims import Beat, BeatAnswer, ClaimedTask, ClaimRequest, Ended, TaskEnd
from core.ports.catalogue import CatalogueWriter
from core.ports.effects import EffectTransaction
from core.ports.engine import FenceLost, JobStopping, PlannedTask
from core.states import TaskStatus
from infrastructure.memory.rows import TaskRow
from tests.simulation.process import EPOCH
from tests.simulation.scheduler import SECOND

if TYPE_CHECKING:
    from tests.simulation.world import World

_PROMPT = 25 * SECOND
# What a repository may answer with instead of a value.
_ANSWERS = (FenceLost, JobStopping)


@dataclass(frozen=True)
class Call:
    """A call of a repository: what was asked, when by the store's clock, and the answer.

    Args:
        at: The store's instant.
        port: ``jobs``, ``tasks`` or ``effects``.
        method: Its name.
        arguments: As given; streams as lists.
        answer: What came back, or the type of what was raised.
    """

    at: datetime
    port: str
    method: str
    arguments: tuple[Any, ...]
    answer: Any


class Watched:
    """A repository whose every call is recorded, if the world wants to know.

    Args:
        world: Keeps the history and the laws.
        port: Name of the port.
        store: The repository.
    """

    def __init__(self, world: "World", port: str, store: Any) -> None:
        self.world = world
        self.port = port
        self.store = store

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.store, name)

        def call(*arguments: Any) -> Any:
            return self.record(name, method, *arguments)

        call.__name__ = name
        setattr(self, name, call)
        return call

    def record(self, name: str, method: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call and keep it; whatever else than an answer it raises is a bug of the engine."""
        try:
            answer = method(*arguments)
        except _ANSWERS as error:
            self.world.seen(f"{name} refused: {type(error).__name__}")
            self._keep(name, arguments, type(error))
            raise
        except (IllegalTransition, LookupError, AssertionError, AttributeError, ValueError) as error:
            self.world.broken("the store works", f"{name}: {type(error).__name__}: {error}")
        self._keep(name, arguments, answer)
        return answer

    def _keep(self, name: str, arguments: tuple[Any, ...], answer: Any) -> None:
        if self.world.history is not None:
            at = self.world.state.clock.now()
            self.world.history.append(Call(at, self.port, name, arguments, answer))


class WatchedTasks(Watched):
    """`core.ports.engine.TaskRepository` with the laws of claims and fences."""

    def __init__(self, world: "World", store: Any) -> None:
        super().__init__(world, "tasks", store)
        self._fences: dict[str, int] = {}
        self._ended: set[tuple[str, int]] = set()

    def claim(self, request: ClaimRequest) -> Sequence[ClaimedTask]:
        """Claim; a fence only grows, and what ended is not claimed."""
        claimed: Sequence[ClaimedTask] = self.record("claim", self.store.claim, request)
        if claimed and self.world.state.paused():
            self.world.broken("nothing is claimed in a pause", claimed[0].task_id)
        for task in claimed:
            if task.fence <= self._fences.get(task.task_id, 0):
                self.world.broken("a fence only grows", f"{task.task_id} was claimed twice as {task.fence}")
            self._fences[task.task_id] = task.fence
            row = self.world.state.tasks[task.task_id]
            if row.run_after > self.world.state.clock.now():
                self.world.broken("what is to run later is not claimed", task.task_id)
            if self.world.setup.is_prompt:
                self._check_promptness(row)
        return claimed

    def _check_promptness(self, row: TaskRow) -> None:
        """Hold a claim to this: where no bell is late, no task waits while a whole lane is idle."""
        idle_from, idle_until = self.world.bus.idle[row.lane]
        waited = idle_until - max(idle_from, (row.run_after - EPOCH) // timedelta(microseconds=1))
        if waited > _PROMPT:
            self.world.broken("no task waits for idle workers", f"{row.task_id}: {waited / SECOND:.0f} s")

    def end(self, ends: Sequence[TaskEnd]) -> Ended:
        """End claims; each ends once, and its fence with it."""
        ended: Ended = self.record("end", self.store.end, ends)
        self.check_ended(ends, ended)
        return ended

    def check_ended(self, ends: Sequence[TaskEnd], ended: Ended) -> None:
        """Hold answers to the law of fences."""
        fences = {end.task_id: end.fence for end in ends}
        for answer in ended.answers:
            self.world.seen(f"end answered {answer.answer}")
            if answer.answer != "ended":
                continue
            claim = (answer.task_id, fences[answer.task_id])
            if claim in self._ended:
                self.world.broken("a claim ends once", f"{claim} was ended again as {answer.outcome}")
            self._ended.add(claim)
            if self.world.state.tasks[answer.task_id].fence <= fences[answer.task_id]:
                self.world.broken("every end raises the fence", f"{answer.task_id} ended as {answer.outcome}")

    def beat(self, beats: Sequence[Beat], lease: timedelta) -> Sequence[BeatAnswer]:
        """Renew leases; only for who holds them."""
        answers: Sequence[BeatAnswer] = self.record("beat", self.store.beat, beats, lease)
        fences = {beat.task_id: beat.fence for beat in beats}
        for answer in answers:
            self.world.seen(f"heartbeat answered {answer.answer}")
            row = self.world.state.tasks[answer.task_id]
            if answer.answer == "kept" and row.fence != fences[answer.task_id]:
                self.world.broken("only its holder renews a lease", answer.task_id)
        return answers

    def rescue(self, limit: int) -> Ended:
        """Rescue; only claims whose leases have run out."""
        now, tasks = self.world.state.clock.now(), self.world.state.tasks
        silent = {name for name in self.world.state.leased if (tasks[name].lease_until or now) < now}
        ended: Ended = self.record("rescue", self.store.rescue, limit)
        for answer in ended.answers:
            self.world.seen(f"rescued as {answer.outcome}")
            if answer.task_id not in silent:
                self.world.broken("a lease protects its claim", answer.task_id)
        return ended

    def end_plan(self, plan: ClaimedTask, tasks: Iterable[PlannedTask], slots: int) -> Ended:
        """Write a plan; its end raises the fence."""
        planned = list(tasks)
        ended: Ended = self.record("end_plan", self.store.end_plan, plan, planned, slots)
        self.world.seen("several slots" if slots > 1 else "one slot" if planned else "an empty plan")
        if self.world.state.tasks[plan.task_id].fence <= plan.fence:
            self.world.broken("every end raises the fence", f"plan {plan.task_id}")
        return ended


class CountingTransaction:
    """`core.ports.engine.EffectTransaction` that can also count an effect of its task.

    Args:
        transaction: The real one.
    """

    def __init__(self, transaction: EffectTransaction) -> None:
        self._transaction = transaction
        self.counted = False
        self.result: JsonObject | None = None
        self.publishes = False

    @property
    def catalogue(self) -> CatalogueWriter:
        """Return the catalogue."""
        return self._transaction.catalogue

    @property
    def ended(self) -> Ended | None:
        """Return what the end brought about."""
        return self._transaction.ended

    def count(self) -> None:
        """Do the effect."""
        self.counted = True

    def publish(self) -> None:
        """See `EffectTransaction.publish`."""
        self.publishes = True
        self._transaction.publish()

    def complete(self, result: JsonObject) -> None:
        """See `EffectTransaction.complete`."""
        self.result = result
        self._transaction.complete(result)


class WatchedEffects(Watched):
    """`core.ports.effects.Effects` with the law that nothing is written without the fence."""

    def __init__(self, world: "World", store: Any) -> None:
        super().__init__(world, "effects", store)

    def correct_live(self, *arguments: Any) -> None:
        """See `Effects.correct_live`."""
        self.record("correct_live", self.store.correct_live, *arguments)
        self.world.seen("live place corrected")

    @contextmanager
    def transaction(self, task: ClaimedTask) -> Iterator[CountingTransaction]:
        """Open a transaction, and look at the fence at the instant of its commit."""
        held = False
        try:
            with self.store.transaction(task) as transaction:
                counting = CountingTransaction(transaction)
                yield counting
                row = self.world.state.tasks[task.task_id]
                held = row.fence == task.fence and row.status is TaskStatus.PROCESSING
        except FenceLost:
            self.world.seen("effect refused: FenceLost")
            self._keep("transaction", (task, counting.publishes, counting.result), FenceLost)
            raise
        if not held:
            self.world.broken("an effect is under the held fence", f"{task.task_id} with {task.fence}")
        answer = transaction.ended
        self._keep("transaction", (task, counting.publishes, counting.result), answer)
        if counting.counted:
            self.world.effects.setdefault(task.task_id, []).append(task.fence)
        if answer is not None:
            self.world.watched_tasks.check_ended([TaskEnd(task.task_id, task.fence, None)], answer)  # type: ignore[arg-type]
