"""Simulated processes: each can be stopped, slowed, cut off and killed between any two steps."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.scheduler import SECOND, Actor, Killed

if TYPE_CHECKING:
    from tests.simulation.world import World

EPOCH = datetime(2024, 5, 1, 12, tzinfo=UTC)


def instant(microseconds: int) -> datetime:
    """Return an instant of virtual time."""
    return EPOCH + timedelta(microseconds=microseconds)


class StoreClock:
    """`core.ports.clock.Clock` of the store, which can leap.

    Args:
        world: For its time.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._leapt = 0
        self._cached = (-1, EPOCH)

    def leap(self, by: int) -> None:
        """Go on from a later instant."""
        self._leapt += by
        self._cached = (-1, EPOCH)

    def now(self) -> datetime:
        """Return the store's instant."""
        now = self._world.scheduler.now
        if self._cached[0] != now:
            self._cached = (now, instant(now + self._leapt))
        return self._cached[1]

    def monotonic(self) -> float:
        """Return the store's seconds."""
        return (self._world.scheduler.now + self._leapt) / SECOND

    def sleep(self, duration: timedelta) -> None:
        """Refuse: a store never waits."""
        raise NotImplementedError


class ProcessClock:
    """`core.ports.clock.Clock` of a process: off, and too fast or too slow.

    Args:
        process: Whose.
        skew: By how many microseconds it is off.
        pace: Its seconds per second.
    """

    def __init__(self, process: "Process", skew: int, pace: float) -> None:
        self._process = process
        self._skew = skew
        self._pace = pace

    def now(self) -> datetime:
        """Return what the process takes for the present."""
        return instant(self._process.world.scheduler.now + self._skew)

    def monotonic(self) -> float:
        """Return what the process takes for seconds."""
        return self._process.world.scheduler.now * self._pace / SECOND

    def sleep(self, duration: timedelta) -> None:
        """Wait."""
        # Even the shortest sleep takes some time.
        self._process.wait(1 + int(duration / timedelta(microseconds=1) / self._pace))


class ProcessChance:
    """`core.ports.clock.Chance` from a seed.

    Args:
        seed: Decides all of it.
    """

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def uniform(self) -> float:
        """Return a number."""
        return self._random.random()

    def token(self) -> str:
        """Return 32 digits."""
        return f"{self._random.getrandbits(128):032x}"


class Process:
    """What lives and dies together.

    Args:
        world: In which it lives.
        name: For the trace and for claims.
    """

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.dead = False
        self.stalled_until = 0
        self.cut_off_until = 0
        self._actors: list[Actor] = []
        faults = world.faults
        skew, pace = 0, 1.0
        if faults.fires("clock.skew"):
            skew = int(faults.amount("clock.skew", 1, 300) * SECOND) * (
                -1 if world.random.random() < 0.5 else 1
            )
        if faults.fires("clock.drift"):
            pace = 0.9 if world.random.random() < 0.5 else 1.1
        self.clock = ProcessClock(self, skew, pace)
        self.chance = ProcessChance(f"{world.seed} {name}")

    def begin(self, name: str, body: Callable[[], Any]) -> None:
        """Run something in a thread of this process."""
        self._actors = [actor for actor in self._actors if not actor.done]
        self._actors.append(self.world.scheduler.spawn(f"{self.name} {name}", self, body))

    def step(self, crash: str | None = None) -> None:
        """Pass a boundary between two steps, at which everything else may happen first.

        Args:
            crash: The crash that may happen here.
        """
        if self.dead:
            raise Killed
        world = self.world
        scheduler = world.scheduler
        if world.faults.fires("process.stall"):
            self.stall(int(world.faults.amount("process.stall", 1, 300) * SECOND))
        if self.stalled_until > scheduler.now:
            scheduler.sleep(self.stalled_until - scheduler.now)
        elif scheduler.random.random() < world.setup.latency:
            scheduler.sleep(int(scheduler.random.random() ** 4 * world.setup.slowest))
        if crash is not None and world.faults.fires(crash):
            self.die()
            raise Killed

    def stall(self, microseconds: int) -> None:
        """Be stopped, in every thread, from the next step on."""
        self.stalled_until = self.world.scheduler.now + microseconds

    def wait(self, microseconds: int) -> None:
        """Let time pass for one thread of the process."""
        scheduler = self.world.scheduler
        scheduler.sleep(microseconds)
        if self.stalled_until > scheduler.now:
            scheduler.sleep(self.stalled_until - scheduler.now)

    def die(self) -> None:
        """Do nothing any more, in any thread."""
        if self.dead:
            return
        self.dead = True
        for actor in self._actors:
            self.world.scheduler.kill(actor)
        self.buried()

    def buried(self) -> None:
        """See to what follows from the death."""
