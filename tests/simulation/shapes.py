"""Random job types, and handlers that behave and misbehave as their task's id decides."""

from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate
from math import log
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from core import codes
from core.declaration import (
    Identity,
    Location,
    PrefixTemplate,
    PreviousResults,
    ResourceCheck,
    Stage,
    TaskPlan,
)
from core.errors import NativeCrash, NotFound, Snooze, TaskFailed, TransientError
from core.handler import Handler, TaskContext
from core.json import JsonObject
from core.ports.blobs import BlobRef, WriteOptions
from core.registry import AnyHandler
from tests.simulation.scheduler import SECOND

if TYPE_CHECKING:
    from tests.simulation.world import World

TEMP, PUBLISHED = "temp", "silver"
COLLECTION = "simulated"
_MEDIAN = 3
_LARGE = 200
# What is written matters to nobody, and one file on disk serves every run.
_CONTENT = Path(__file__)


class Order(BaseModel):
    """Parameters of every simulated job.

    Args:
        number: Tells jobs of one type apart.
        place: Where it publishes, if it does; others may want the same.
        if_exists: Whether it takes over what is there.
    """

    number: int = 0
    place: int = 0
    if_exists: Literal["fail", "replace"] = "fail"


class Work(BaseModel):
    """Parameters of every simulated task: whether it reads the results of the stage before."""

    gathers: bool = False


class Done(BaseModel):
    """Result of every simulated task."""

    key: str


@dataclass(frozen=True)
class SimulatedJob:
    """A job type made up by a seed; implements `core.declaration.JobType`.

    Args:
        job_type: Its name.
        stages: Its stages.
        identity: Whether it stands for ever.
        intermediate_blobs: Where it leaves blobs.
        is_publisher: Whether its last stage publishes.
        world: For the troubles of planners.
    """

    job_type: str
    stages: Sequence[Stage]
    identity: Identity
    intermediate_blobs: Sequence[PrefixTemplate]
    is_publisher: bool
    world: "World"
    description: str = "Simulated."
    parameters_schema: type[BaseModel] = Order
    resource_validators: Sequence[ResourceCheck] = ()

    def identity_parameters(self, parameters: Order) -> JsonObject:
        """Return what makes the id."""
        return {"number": parameters.number}

    def publishes(self, parameters: Order) -> Sequence[Location]:
        """Return a blob and an item, if it publishes."""
        if not self.is_publisher:
            return ()
        return (
            Location("blob", f"{PUBLISHED}/{parameters.place}.tif"),
            Location("item", f"{COLLECTION}/{parameters.place}"),
        )

    def replaces(self, parameters: Order) -> bool:
        """Return whether it takes over."""
        return parameters.if_exists == "replace"

    def sources(self, parameters: Order) -> Sequence[BlobRef]:
        """Return nothing."""
        return ()

    def plan(self, stage: str, parameters: Order, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Yield tasks as the seed, the stage and the number decide."""
        random = Random(f"{self.world.seed} {self.job_type} {stage} {parameters.number}")
        declared = next(one for one in self.stages if one.name == stage)
        trouble = random.random()
        if trouble < 0.03 and self.world.first_time(f"plan {self.job_type} {stage} {parameters.number}"):
            raise TransientError(codes.STORAGE_UNAVAILABLE, "Not now.")
        if trouble > 0.995:
            raise RuntimeError("a bug in a planner")
        if declared.parallelism != "fan_out":
            yield TaskPlan("only", {"gathers": declared.parallelism == "fan_in"})
            return
        for number in range(_fan_out(random)):
            yield TaskPlan(f"{number:04d}")
        if 0.99 < trouble < 0.995:
            yield TaskPlan("0000")


def _fan_out(random: Random) -> int:
    chance = random.random()
    if chance < 0.02:
        return _LARGE
    if chance < 0.06:
        return 0
    return 1 + int(log(1 - random.random()) / log(0.5) * _MEDIAN)


class Moods:
    """What handlers do, each a method; which one is decided by the task's id.

    Args:
        world: Time, processes and what is counted.
        random: Decides how rough the run is.
    """

    def __init__(self, world: "World", random: Random) -> None:
        self._world = world
        rough = random.choice((0, 0, 1, 4))
        self._weights: list[tuple[Callable[[TaskContext, int], None], float]] = [
            (self.well, 20),
            (self.napping, 12),
            (self.busy, 8),
            (self.slower_than_its_lease, 2),
            (self.effect, 10),
            (self.effect_that_ends, 10),
            (self.effect_then_fault, 3),
            (self.flaky, 5),
            (self.snoozing, 5),
            (self.writing, 5),
            (self.crashing_once, 1),
            (self.waiting_for_ever, 0.3 * rough),
            (self.hopeless, 0.3 * rough),
            (self.failing, 0.6 * rough),
            (self.buggy, 0.2 * rough),
            (self.crashing, 0.2 * rough),
        ]
        self._bounds = list(accumulate(weight for _, weight in self._weights))

    def of(self, task_id: str) -> Callable[[TaskContext, int], None]:
        """Return what a task does."""
        fraction = int(task_id[:8], 16) / 16**8
        return self._weights[bisect(self._bounds, fraction * self._bounds[-1])][0]

    def well(self, context: TaskContext, dice: int) -> None:
        """Do nothing."""

    def napping(self, context: TaskContext, dice: int) -> None:
        """Wait as a handler may, looking up."""
        context.progress(0.5, "half-way")
        context.sleep(timedelta(milliseconds=100 + dice % 1_200))

    def busy(self, context: TaskContext, dice: int) -> None:
        """Be inside one call for up to half a minute."""
        self._spend(context, dice % 30)

    def slower_than_its_lease(self, context: TaskContext, dice: int) -> None:
        """Be inside one call for minutes."""
        self._world.seen("handler slower than its lease")
        self._spend(context, 60 + dice % 120)

    def effect(self, context: TaskContext, dice: int) -> None:
        """Change rows, in a transaction of its own."""
        with context.transaction() as transaction:
            _count(transaction)

    def effect_that_ends(self, context: TaskContext, dice: int) -> None:
        """Change rows and end, in one transaction."""
        self._spend(context, dice % 3)
        with context.transaction() as transaction:
            _count(transaction)
            transaction.complete({"key": context.task.key})

    def effect_then_fault(self, context: TaskContext, dice: int) -> None:
        """Change rows and then meet a passing fault, the first time."""
        self.effect(context, dice)
        self.flaky(context, 0)

    def flaky(self, context: TaskContext, dice: int) -> None:
        """Meet passing faults."""
        if context.task.attempt <= 1 + dice % 3:
            raise TransientError(codes.STORAGE_UNAVAILABLE, "Not now.")

    def hopeless(self, context: TaskContext, dice: int) -> None:
        """Meet a passing fault every time."""
        raise TransientError(codes.STORAGE_UNAVAILABLE, "Never.")

    def snoozing(self, context: TaskContext, dice: int) -> None:
        """Be not ready a few times."""
        if self._world.times(context.task.task_id) <= 1 + dice % 3:
            raise Snooze(timedelta(seconds=(1, 20, 90, 400)[dice % 4]), "not ready")

    def waiting_for_ever(self, context: TaskContext, dice: int) -> None:
        """Be never ready, where the deadline is not far."""
        if context.task.time_left < timedelta(hours=1):
            raise Snooze(timedelta(seconds=40 + dice % 200), "never ready")

    def failing(self, context: TaskContext, dice: int) -> None:
        """Meet bad data."""
        raise TaskFailed(codes.BLOB_EMPTY, "Nothing in it.")

    def buggy(self, context: TaskContext, dice: int) -> None:
        """Have a bug."""
        raise RuntimeError("a bug in a handler")

    def crashing_once(self, context: TaskContext, dice: int) -> None:
        """Lose the child, the first time."""
        if context.task.last_code != codes.NATIVE_CRASH.code:
            raise NativeCrash(codes.NATIVE_CRASH, "signal 11")

    def crashing(self, context: TaskContext, dice: int) -> None:
        """Lose the child every time."""
        raise NativeCrash(codes.NATIVE_CRASH, "signal 11")

    def writing(self, context: TaskContext, dice: int) -> None:
        """Leave an intermediate blob and find it again."""
        ref = BlobRef(TEMP, f"temp/simulated/{context.task.job_id}/{context.task.stage}-{context.task.key}")
        if not self._world.leaves_blobs(context.task.job_type):
            return
        signature = {"terrane_task": context.task.task_id, "terrane_fence": str(context.task.fence)}
        context.blobs.upload(_CONTENT, ref, WriteOptions(metadata=signature))
        self._spend(context, dice % 90)
        context.check()
        try:
            context.blobs.properties(ref)
        except NotFound:
            self._world.lost_blob(context.task, ref)

    def _spend(self, context: TaskContext, seconds: int) -> None:
        self._world.process().wait(seconds * SECOND + 1)
        self._world.process().step("process.crash_in_handler")
        context.check()


def _count(transaction: Any) -> None:
    transaction.count()


def make_handlers(world: "World") -> Sequence[AnyHandler]:
    """Return the handlers of a run."""
    moods = world.moods

    def perform(parameters: Work, context: TaskContext) -> Done:
        task = context.task
        world.process().step("process.crash_in_handler")
        if parameters.gathers:
            world.check_gathered(task, [r.key for r in context.results()], [r.key for r in context.failed()])
        moods.of(task.task_id)(context, int(task.task_id[8:16], 16))
        return Done(key=task.key)

    def publish(parameters: Work, context: TaskContext) -> Done:
        task = context.task
        order = Order.model_validate(world.state.jobs[task.job_id].parameters)
        context.publish_blob(_CONTENT, BlobRef(PUBLISHED, f"{order.place}.tif"), WriteOptions())
        moods.of(task.task_id)(context, int(task.task_id[8:16], 16))
        if int(task.task_id[17], 16) < 4:
            raise TaskFailed(codes.BLOB_EMPTY, "Written, and not good enough to be published.")
        with context.publication() as transaction:
            if int(task.task_id[16], 16) % 2:
                transaction.complete({"key": task.key})
        return Done(key=task.key)

    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    return (
        Handler("light_work", perform, Work, "light", 5, 24 * hour),
        Handler("heavy_work", perform, Work, "heavy", 3, 24 * hour),
        Handler("brief_work", perform, Work, "light", 2, 10 * minute),
        Handler("publish", publish, Work, "heavy", 5, 24 * hour),
    )


def make_jobs(world: "World", random: Random) -> Sequence[SimulatedJob]:
    """Return the job types of a run."""
    return tuple(_make_job(world, random, number) for number in range(random.randint(1, 3)))


def _make_job(world: "World", random: Random, number: int) -> SimulatedJob:
    is_publisher = random.random() < 0.5
    most = random.choice((1, 2, 6)) if is_publisher else 6
    stages = [_make_stage(random, position) for position in range(1, random.randint(1, most) + 1)]
    if is_publisher:
        stages[-1] = Stage(stages[-1].name, "publish", "single")
    leaves = random.random() < 0.5
    return SimulatedJob(
        job_type=f"simulated_{number}",
        stages=stages,
        identity=random.choice(("for_ever", "while_active")),
        intermediate_blobs=(PrefixTemplate(TEMP, "temp/simulated/{job_id}/"),) if leaves else (),
        is_publisher=is_publisher,
        world=world,
    )


def _make_stage(random: Random, position: int) -> Stage:
    parallelism = random.choice(("single", "fan_out", "fan_out", "fan_out", "fan_in"))
    return Stage(
        f"stage_{position}",
        random.choice(("light_work", "light_work", "heavy_work", "brief_work")),
        parallelism,
        random.choice(("stop", "continue")),
        random.choice((None, 0, 1)) if parallelism == "fan_in" else None,
    )
