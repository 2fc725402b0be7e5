"""Workers, the web front end with its clients, and the janitor: the processes of a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from core import codes
from core.bells import Bells
from core.cancellation import Cancellation
from core.cleanup import CleanUp
from core.context import Surroundings
from core.errors import Conflict, TransientError
from core.executor import Executor
from core.handler import Zones
from core.heart import Heart, Hold
from core.janitor import Janitor, JanitorLimits
from core.job_health import JobHealth
from core.machine import CoreMachine, Draining, MachineLimits
from core.models.claims import ClaimedTask
from core.orphans import OrphanDetector
from core.pause import Pause
from core.planning import Planner
from core.ports.engine import JobRepository, TaskRepository
from core.ports.janitor import Mending, SweepRuns
from core.prune import Prune
from core.publishing import asides
from core.submission import SubmissionService, SubmitRequest
from core.suspects import Suspects
from core.sweeps import Sweep
from core.validation import ResourceValidators
from core.watchdog import TaskWatchdog
from tests.simulation.bus import BusPort
from tests.simulation.process import Process
from tests.simulation.scheduler import SECOND
from tests.simulation.shapes import TEMP
from tests.simulation.stores import BlobPort, EffectsPort, StorePort, Wire

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE = timedelta(seconds=45)
#: How often each sweep runs.
SWEEPS = {
    "task_watchdog": timedelta(minutes=5),
    "job_health": timedelta(minutes=10),
    "orphan_detector": timedelta(minutes=15),
    "prune": timedelta(days=1),
}
#: How long what an ended job left is kept.
GRACE = timedelta(minutes=20)
_MINIMUM_AGE = timedelta(minutes=1)
_BEAT = 10 * SECOND
_NOWHERE = Path("/nonexistent")


class Connected(Process):
    """A process with its own connections to everything."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        wire = Wire(self)
        self.tasks = cast("TaskRepository", StorePort(wire, world.watched_tasks))
        self.jobs = cast("JobRepository", StorePort(wire, world.watched_jobs))
        self.effects = EffectsPort(wire, world.watched_effects)
        self.blobs = BlobPort(self, world.blobs)
        self.queue = BusPort(self)
        self.bells = Bells(self.queue, self.jobs, self.tasks, world.setup.bells)


class BeatingHeart(Heart):
    """A heart that beats in virtual time while it holds anything.

    Args:
        process: Whose.
    """

    def __init__(self, process: Connected) -> None:
        super().__init__(process.tasks, LEASE)
        self._process = process
        self._armed = False
        self._beating = False
        self.stopped_until = 0

    def hold(self, task: ClaimedTask) -> Hold:
        """Begin to beat."""
        self._arm()
        return super().hold(task)

    @property
    def holds(self) -> Sequence[Hold]:
        """Return what is being worked on."""
        return self._held()

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            scheduler = self._process.world.scheduler
            scheduler.at(scheduler.now + _BEAT, self._tick)

    def _tick(self) -> None:
        self._armed = False
        if self._process.dead or not self.is_holding:
            return
        self._arm()
        if self._beating or self.stopped_until > self._process.world.scheduler.now:
            return
        self._beating = True
        self._process.begin("heart", self._beat_once)

    def _beat_once(self) -> None:
        try:
            self.beat()
        except TransientError:
            self._process.world.seen("heartbeat failed")
        finally:
            self._beating = False


class Worker(Connected):
    """A process that answers bells.

    Args:
        world: In which it lives.
        name: Its name.
        lanes: A thread for each, which serves that lane.
    """

    def __init__(self, world: "World", name: str, lanes: tuple[str, ...]) -> None:
        super().__init__(world, name)
        self.lanes = lanes
        self._busy = 0
        self.heart = BeatingHeart(self)
        setup = world.setup
        self.is_outdated = world.faults.fires("process.outdated")
        registry = world.outdated if self.is_outdated else world.registry
        around = Surroundings(
            tasks=self.tasks,
            blobs=cast("Any", self.blobs),
            catalogue=world.catalogue,
            tables=cast("Any", None),
            effects=cast("Any", self.effects),
            unpublishing=cast("Any", None),
            zones=Zones(),
            isolation=cast("Any", None),
            clock=self.clock,
            workspaces=_NOWHERE,
            temp_container=TEMP,
            child_memory_mib=1,
            child_deadline=timedelta(minutes=30),
        )
        executor = Executor(
            registry=registry,
            planner=Planner(registry, self.jobs, self.tasks, setup.plan_limits),
            clean_up=CleanUp(registry, self.jobs, cast("Any", self.blobs), cast("Any", self.effects)),
            around=around,
            chance=self.chance,
        )
        self.machine = CoreMachine(
            worker=name,
            tasks=self.tasks,
            executor=executor,
            heart=self.heart,
            bells=self.bells,
            clock=self.clock,
            chance=self.chance,
            limits=MachineLimits(
                LEASE, setup.claim_batch, timedelta(seconds=20), timedelta(seconds=setup.patience)
            ),
        )

    def start(self) -> None:
        """Begin to answer bells."""
        for number, lane in enumerate(self.lanes):
            self.begin(f"{lane} {number}", lambda lane=lane: self._serve(lane))

    def drain(self, grace: int) -> None:
        """Be told to end, and be killed after a grace."""
        self.machine.drain()
        self.world.scheduler.at(self.world.scheduler.now + grace, self.die)

    def buried(self) -> None:
        """Be started again by the platform."""
        self.world.replace_worker(self)

    def _serve(self, lane: str) -> None:
        bus = self.world.bus
        while not self.machine.draining:
            letter = bus.receive(lane)
            lock = letter.locked
            try:
                self.step("process.crash_before_settle")
                self._busy += 1
                answered = self._answer(lane, letter.deliveries)
                self._busy -= 1
                self._check_idle()
                self.step("process.crash_before_settle")
            finally:
                bus.done(lane)
                if self.dead:
                    bus.forget_later(letter, lock)
            if answered:
                bus.settle(letter, lock)
                self.step("process.crash_after_settle")
            else:
                bus.give_back(letter, lock)
                self.wait(SECOND)

    def _check_idle(self) -> None:
        """Hold an idle worker to this: it beats for nothing."""
        if not self._busy and self.heart.holds:
            self.world.broken("a worker beats for what it works on", f"{self.heart.tasks}")

    def _answer(self, lane: str, deliveries: int) -> bool:
        try:
            self.machine.answer_bell(lane, deliveries)
        except Draining:
            self.world.seen("bell given back by a drain")
            return False
        except TransientError as error:
            self.world.seen(f"bell given back: {error.code.code}")
            return False
        return True


class Cleaner(Connected):
    """The process in which the sweeps run."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        wire = Wire(self)
        mending = cast("Mending", StorePort(wire, world.watched_mending))
        runs = cast("SweepRuns", StorePort(wire, world.watched_runs))
        suspects = Suspects(mending, self.bells, self.chance, _MINIMUM_AGE)
        templates = [template for job in world.jobs for template in job.intermediate_blobs]
        orphans = OrphanDetector(
            suspects, mending, self.bells, cast("Any", self.blobs), [*templates, asides(TEMP)], GRACE
        )
        watchdog = TaskWatchdog(self.tasks, self.queue, self.bells)
        rules = {
            "task_watchdog": watchdog.rules,
            "job_health": JobHealth(suspects, self.jobs).rules,
            "orphan_detector": orphans.rules,
            "prune": Prune(mending, runs, timedelta(days=90)).rules,
        }
        sweeps = [Sweep(name, SWEEPS[name], rules[name]) for name in SWEEPS]
        limits = JanitorLimits(timedelta(seconds=50), timedelta(seconds=120), timedelta(seconds=60))
        self._janitor = Janitor(sweeps, runs, self.clock, self.chance, limits)

    def sweep(self, name: str) -> None:
        """Run a sweep, beside whatever else this process does."""
        self.begin(name, lambda: self._sweep(name))

    def _sweep(self, name: str) -> None:
        try:
            [run] = self._janitor.run(name, "simulation")
        except TransientError:
            self.world.seen("sweep failed")
            return
        self.world.seen(f"sweep {run.status}")
        if run.error is not None and run.error["code"] == codes.SWEEP_RULE_FAILED.code:
            self.world.broken("the janitor mends", f"{name}: {run.error}")
        for action in run.actions:
            self.world.seen(f"{name}: {action['action']}")

    def buried(self) -> None:
        """Be started again at the next sweep."""
        self.world.replace_cleaner()


@dataclass(eq=False)
class Wish:
    """What a client wants, until it has an answer.

    Args:
        act: Does it, with the front end that is there.
    """

    act: Callable[["FrontEnd"], None]
    fulfilled: bool = False


class FrontEnd(Connected):
    """The process that answers HTTP requests."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        self.submission = SubmissionService(
            world.registry, self.jobs, cast("Any", self.blobs), ResourceValidators({}), self.bells
        )

    def serve(self, wish: Wish) -> None:
        """Answer a client, who repeats the request until there is an answer."""
        self.begin("request", lambda: self._serve(wish))

    def _serve(self, wish: Wish) -> None:
        for _ in range(50):
            try:
                wish.act(self)
            except Conflict as error:
                self.world.seen(f"request refused: {error.code.code}")
                if error.retry_after is None:
                    break
                self.wait(int(error.retry_after / timedelta(microseconds=1)))
            except TransientError:
                self.wait(5 * SECOND)
            else:
                break
        wish.fulfilled = True

    def buried(self) -> None:
        """Be started again; its clients repeat their requests."""
        self.world.replace_front_end()


def submission(request: SubmitRequest) -> Callable[[FrontEnd], None]:
    """Return the wish to submit a job."""

    def act(front: FrontEnd) -> None:
        receipt = front.submission.submit(request)
        front.world.seen("submission created a job" if receipt.created else "submission found a job")
        if receipt.revision > 1 and receipt.created:
            front.world.seen("submission created a further revision")
            front.world.look_for_stragglers(receipt.job_id)

    return act


def pausing(until: Callable[[], datetime | None]) -> Callable[[FrontEnd], None]:
    """Return an operator's wish to pause the engine."""

    def act(front: FrontEnd) -> None:
        Pause(front.tasks, front.bells).begin("simulated", "operator", until())

    return act


def resuming(front: FrontEnd) -> None:
    """Resume, as an operator does."""
    Pause(front.tasks, front.bells).resume()


def cancellation(job_id: Callable[[], str | None]) -> Callable[[FrontEnd], None]:
    """Return the wish to cancel a job, as the HTTP interface does it."""

    def act(front: FrontEnd) -> None:
        name = job_id()
        if name is None:
            return
        error = {"code": codes.JOB_CANCELLED.code, "message": "A client wishes it."}
        answer = Cancellation(front.jobs, front.bells).cancel(name, error, "client")
        front.world.seen(f"cancellation answered {answer}")

    return act
