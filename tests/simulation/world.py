"""One run: its setup, its stores, its processes, its weather, and when it is over."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any, ClassVar, NoReturn

from core import identity
from core.models.claims import ClaimedTask
from core.ports.blobs import BlobProperties, BlobRef
from core.registry import Registry
from core.states import ENDED_JOB, TaskStatus
from core.submission import SubmitRequest
from infrastructure.memory.blob_store import InMemoryBlobStore
from infrastructure.memory.catalogue import InMemoryCatalogue
from infrastructure.memory.effects import InMemoryEffects
from infrastructure.memory.jobs import InMemoryJobRepository
from infrastructure.memory.mending import InMemoryMending
from infrastructure.memory.state import EngineState
from infrastructure.memory.sweep_runs import InMemorySweepRuns
from infrastructure.memory.tasks import InMemoryTaskRepository
from tests.simulation.bus import Bus
from tests.simulation.faults import Faults
from tests.simulation.people import (
    GRACE,
    SWEEPS,
    Cleaner,
    FrontEnd,
    Wish,
    Worker,
    cancellation,
    resuming,
    submission,
)
from tests.simulation.process import Process, StoreClock
from tests.simulation.scheduler import SECOND, Killed, Scheduler
from tests.simulation.setup import Setup
from tests.simulation.shapes import PUBLISHED, TEMP, Moods, Order, make_handlers, make_jobs
from tests.simulation.watched import Call, Watched, WatchedEffects, WatchedTasks
from tests.simulation.weather import WEATHERS

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
_WEATHER = 20 * SECOND
_LOOK = 2 * MINUTE
_PATIENCE = 15 * MINUTE
_REST = 2 * (GRACE // timedelta(microseconds=1))
_LONGEST = 48 * HOUR
_MOST_STEPS = 400_000


class LawBroken(Exception):
    """The engine did not keep a promise.

    Args:
        law: Which, in words.
        detail: By what.
    """

    def __init__(self, law: str, detail: str) -> None:
        super().__init__(f"{law}: {detail}")
        self.law = law
        self.detail = detail


class World:
    """A run of the simulation; `running` is the one that runs in this process.

    Args:
        setup: What is decided beforehand.
        trace: Whether every step is noted.
        record: Whether every call of a repository is kept.
    """

    running: ClassVar["World"]

    def __init__(self, setup: Setup, *, trace: bool = False, record: bool = False) -> None:
        self.setup = setup
        self.seed = setup.seed
        self.random = Random(f"world {setup.seed}")
        self.scheduler = Scheduler(f"schedule {setup.seed}", _MOST_STEPS)
        self.faults = Faults(setup.seed, setup.kinds, setup.intensity, setup.only)
        if trace:
            self.faults.on_fire = lambda firing: self.note(None, firing)
        self.sights: Counter[str] = Counter()
        self.lines: list[str] | None = [] if trace else None
        self.history: list[Call] | None = [] if record else None
        self.late_writes: set[tuple[str, str]] = set()
        self.effects: dict[str, list[int]] = {}
        self.database_down_until = 0
        self._first_times: Counter[str] = Counter()
        self._number = 0
        self._build_stores()
        self._build_types()
        self.bus = Bus(self)
        self.workers: list[Worker] = []
        self.cleaner = Cleaner(self, "janitor")
        self.front_end = FrontEnd(self, "front end")
        self._wishes: list[Wish] = []
        self._unmade = 0
        self._calm_since: int | None = None
        self._settled_since: int | None = None

    def _build_stores(self) -> None:
        clock = StoreClock(self)
        self.clock = clock
        self.state = EngineState(clock)
        self.catalogue = InMemoryCatalogue()
        self.blobs = InMemoryBlobStore(clock)
        for container in (TEMP, PUBLISHED):
            self.blobs.ensure_container(container)
        self.watched_tasks = WatchedTasks(self, InMemoryTaskRepository(self.state))
        self.watched_jobs = Watched(self, "jobs", InMemoryJobRepository(self.state))
        self.watched_effects = WatchedEffects(self, InMemoryEffects(self.state, self.catalogue))
        self.watched_mending = Watched(self, "mending", InMemoryMending(self.state))
        self.watched_runs = Watched(self, "runs", InMemorySweepRuns(self.state))

    def _build_types(self) -> None:
        random = Random(f"types {self.seed}")
        self.jobs = make_jobs(self, random)
        self.moods = Moods(self, random)
        self.handlers = make_handlers(self)
        self.registry = Registry(self.jobs, self.handlers)
        kept = [handler for handler in self.handlers if handler.task_type != "heavy_work"]
        names = {handler.task_type for handler in kept}
        known = [job for job in self.jobs if all(stage.task_type in names for stage in job.stages)]
        self.outdated = Registry(known, kept)

    def run(self) -> None:
        """Run to the end.

        Raises:
            LawBroken: The engine did not keep a promise while it ran.
        """
        World.running = self
        for lanes in self.setup.workers:
            self._start_worker(lanes)
        end = self._make_wishes()
        scheduler = self.scheduler
        if self.setup.has_watchdog:
            for number, name in enumerate(SWEEPS):
                first = int((number + self.random.random()) * MINUTE)
                scheduler.at(first, lambda name=name: self._sweep(name))
        scheduler.at(_WEATHER, self._weather)
        scheduler.at(end, self.calm)
        scheduler.run()

    def _make_wishes(self) -> int:
        """Let clients wish at random instants; return when the faults are to end."""
        random = Random(f"wishes {self.seed}")
        wishes: list[tuple[int, Any]] = []
        for number in range(random.randint(1, 4)):
            job = random.choice(self.jobs)
            parameters = {"number": number, "place": random.randint(0, 1)}
            parameters["if_exists"] = random.choice(("fail", "replace"))
            job_id = identity.job_id(job.job_type, job.identity_parameters(Order(**parameters)))
            at = int(random.random() ** 2 * 10 * MINUTE)
            pause = random.choice((1, 3, 10)) * MINUTE
            for again in range(random.randint(1, 4)):
                request = SubmitRequest(
                    job.job_type, parameters, random.randint(0, 9), rerun=again > 0 and random.random() < 0.5
                )
                wishes.append((at, submission(request)))
                if random.random() < 0.35:
                    later = at + int(random.random() ** 3 * 3 * MINUTE)
                    wishes.append((later, cancellation(lambda job_id=job_id: job_id)))
                at += int(random.random() ** 2 * pause)
        wishes.sort(key=lambda wish: wish[0])
        wishes = wishes[: self.setup.wishes]
        self._unmade = len(wishes)
        for at, act in wishes:
            self.scheduler.at(at, lambda act=act: self._client_wish(act))
        return max((at for at, _ in wishes), default=0) + int(random.random() * 5 * MINUTE)

    def _client_wish(self, act: Any) -> None:
        self._unmade -= 1
        self.wish(act)

    def wish(self, act: Callable[[FrontEnd], None]) -> None:
        """Let somebody wish something of the front end."""
        wish = Wish(act)
        self._wishes.append(wish)
        if not self.front_end.dead:
            self.front_end.serve(wish)

    def _start_worker(self, lanes: tuple[str, ...]) -> None:
        self._number += 1
        worker = Worker(self, f"worker {self._number}", lanes)
        self.workers.append(worker)
        worker.start()

    def replace_worker(self, worker: Worker) -> None:
        """Start a new worker where one died."""
        self.workers.remove(worker)
        seconds = self.random.random() * 5
        if self.faults.fires("process.slow_start"):
            seconds = self.faults.amount("process.slow_start", 10, 400)
        self.scheduler.at(
            self.scheduler.now + int(seconds * SECOND), lambda: self._start_worker(worker.lanes)
        )

    def replace_cleaner(self) -> None:
        """Start a new janitor."""
        self._number += 1
        self.cleaner = Cleaner(self, f"janitor {self._number}")

    def replace_front_end(self) -> None:
        """Start a new front end, to which clients turn again."""
        self._number += 1
        self.front_end = FrontEnd(self, f"front end {self._number}")
        self._wishes = [wish for wish in self._wishes if not wish.fulfilled]
        front_end, wishes = self.front_end, list(self._wishes)

        def serve() -> None:
            for wish in wishes:
                if not wish.fulfilled and not front_end.dead:
                    front_end.serve(wish)

        self.scheduler.at(self.scheduler.now + 3 * SECOND, serve)

    def _sweep(self, name: str) -> None:
        self.cleaner.sweep(name)
        if self.faults.fires("janitor.twice"):
            self.cleaner.sweep(name)
        period = SWEEPS[name] // timedelta(microseconds=1)
        self.scheduler.at(self.scheduler.now + period, lambda: self._sweep(name))

    def some_sweep(self) -> str:
        """Return the name of a sweep by chance."""
        return list(SWEEPS)[int(self.random.random() * len(SWEEPS))]

    def _weather(self) -> None:
        if self.faults.is_calm:
            return
        for name, strike in WEATHERS.items():
            if self.faults.fires(name):
                strike(self)
        self.scheduler.at(self.scheduler.now + _WEATHER, self._weather)

    def some_worker(self) -> Worker | None:
        """Return a worker by chance."""
        return self.workers[int(self.random.random() * len(self.workers))] if self.workers else None

    def calm(self) -> None:
        """End every fault; from now on the engine has to put everything right."""
        self.note(None, "the faults end")
        self.faults.calm()
        self.database_down_until = self.bus.down_until = 0
        for process in (*self.workers, self.cleaner, self.front_end):
            process.stalled_until = process.cut_off_until = 0
        for worker in list(self.workers):
            worker.heart.stopped_until = 0
            if worker.is_outdated:
                worker.die()
        if self.state.engine.paused_at is not None:
            self.wish(resuming)
        self._calm_since = self.scheduler.now
        self.scheduler.at(self.scheduler.now, self._look)

    def _look(self) -> None:
        """See whether everything has come to an end, and that nothing is overdue."""
        assert self._calm_since is not None
        waited = self.scheduler.now - self._calm_since
        if self.state.engine.paused_at is not None:
            self.wish(resuming)
        if not self._is_settled():
            self._settled_since = None
        elif self._has_rested():
            self.scheduler.finish()
            return
        if waited > _LONGEST:
            self.broken("every job ends", f"open after {_LONGEST // HOUR} hours: {self.open_jobs()}")
        if waited > _PATIENCE and self.setup.has_watchdog:
            self.check_violations()
        self.scheduler.at(self.scheduler.now + _LOOK, self._look)

    def _has_rested(self) -> bool:
        """Return whether the janitor has had time to take away what is left."""
        now = self.scheduler.now
        self._settled_since = now if self._settled_since is None else self._settled_since
        return not self.setup.has_watchdog or now - self._settled_since > _REST

    def check_violations(self) -> None:
        """Break the law if a row is older than its law allows."""
        violations = self.watched_jobs.store.violations(10)
        if violations:
            self.broken("nothing is overdue", f"{violations}")

    def _is_settled(self) -> bool:
        if self._unmade or not all(wish.fulfilled for wish in self._wishes):
            return False
        return not self.open_jobs() and not self.state.leased and not any(self.state.queued.values())

    def open_jobs(self) -> Sequence[str]:
        """Return the jobs that have not ended, or are not cleaned up after."""
        return [
            f"{job.job_id[:8]} {job.status} {job.cleanup}"
            for job in self.state.jobs.values()
            if job.status not in ENDED_JOB or job.cleanup == "pending"
        ]

    def process(self) -> Process:
        """Return the process whose step this is."""
        actor = self.scheduler.current
        assert actor is not None
        return actor.process  # type: ignore[no-any-return]

    def first_time(self, what: str) -> bool:
        """Return whether this is asked for the first time."""
        return self.times(what) == 1

    def times(self, what: str) -> int:
        """Return how often this was asked."""
        self._first_times[what] += 1
        return self._first_times[what]

    def leaves_blobs(self, job_type: str) -> bool:
        """Return whether a job type declares where it leaves intermediate blobs."""
        return bool(self.registry.job(job_type).intermediate_blobs)

    def lost_blob(self, task: ClaimedTask, ref: BlobRef) -> None:
        """Judge that an intermediate blob has disappeared while its task was at work."""
        row = self.state.tasks[task.task_id]
        if row.fence == task.fence and row.status is TaskStatus.PROCESSING:
            self.broken("nothing is destroyed by accident", f"{ref} is gone while its task works")

    def look_for_stragglers(self, job_id: str) -> None:
        """See whether a worker still holds what an earlier revision of a new one had claimed."""
        held = (hold.task for worker in self.workers for hold in worker.heart.holds)
        revision = self.state.jobs[job_id].revision
        if any(task.job_id == job_id and task.revision < revision for task in held):
            self.seen("revision began while a handler of an earlier one still ran")

    def look_at_write(self, how: str, blob: BlobProperties) -> None:
        """Remember what was written by a claim that was lost: only a sweep can find it."""
        row = self.state.tasks[blob.metadata["terrane_task"]]
        if row.status is TaskStatus.PROCESSING and str(row.fence) == blob.metadata["terrane_fence"]:
            return
        self.seen("blob written by a lost claim")
        self.late_writes.add((str(blob.ref), blob.etag))
        live = any(one.state == "live" and one.location == str(blob.ref) for one in self.state.artifacts)
        if live and how == "upload":
            self.broken("nothing is destroyed by accident", f"{blob.ref} was written over without a claim")

    def check_gathered(self, task: ClaimedTask, completed: list[str], failed: list[str]) -> None:
        """Hold what a task gathers to the rows of the stage before."""
        rows = [
            row
            for row in self.state.tasks_of(task.job_id, task.revision)
            if row.stage == task.stage - 1 and row.kind == "work"
        ]
        there = sorted(row.key for row in rows if row.status is TaskStatus.COMPLETED)
        broken = sorted(row.key for row in rows if row.status is TaskStatus.FAILED)
        if (completed, failed) != (there, broken):
            self.broken("no result is lost", f"{completed} {failed} instead of {there} {broken}")

    def seen(self, sight: str) -> None:
        """Count something that a good run of seeds must have met."""
        self.sights[sight] += 1
        if self.lines is not None:
            self.note(None, f"({sight})")

    def note(self, process: Process | None, what: str) -> None:
        """Write a line of the trace."""
        if self.lines is not None:
            actor = self.scheduler.current
            who = actor.name if actor is not None else process.name if process else "world"
            self.lines.append(f"{self.scheduler.now / SECOND:12.6f} {who:<20} {what}")

    def broken(self, law: str, detail: str) -> NoReturn:
        """End the run because the engine did not keep a promise."""
        self.scheduler.finish(LawBroken(law, detail))
        raise Killed
