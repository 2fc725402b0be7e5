"""What happens to the whole world at once, every now and then: outages, leaps of the clock, operators."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.simulation.bus import LANES
from tests.simulation.faults import BY_NAME
from tests.simulation.people import pausing, resuming
from tests.simulation.process import Process
from tests.simulation.scheduler import SECOND

if TYPE_CHECKING:
    from tests.simulation.world import World


def _outage(world: "World") -> None:
    world.database_down_until = world.scheduler.now + int(
        world.faults.amount("database.outage", 1, 300) * SECOND
    )


def _partition(world: "World") -> None:
    processes: list[Process] = [*world.workers, world.cleaner, world.front_end]
    process = processes[int(world.random.random() * len(processes))]
    duration = int(world.faults.amount("database.partition", 1, 300) * SECOND)
    process.cut_off_until = world.scheduler.now + duration


def _bus_outage(world: "World") -> None:
    world.bus.down_until = world.scheduler.now + int(world.faults.amount("bus.outage", 1, 120) * SECOND)


def _heart_stopped(world: "World") -> None:
    worker = world.some_worker()
    if worker is not None:
        duration = int(world.faults.amount("process.heart_stopped", 30, 200) * SECOND)
        worker.heart.stopped_until = world.scheduler.now + duration


def _drain(world: "World") -> None:
    worker = world.some_worker()
    if worker is not None:
        worker.drain(int(world.faults.amount("process.drain", 1, 20) * SECOND))


def _foreign(world: "World") -> None:
    world.bus.bury(LANES[int(world.random.random() * 2)], "not a bell")


def _pause(world: "World") -> None:
    seconds = world.faults.amount("operator.pause", 10, 400)
    if world.random.random() < 0.5:
        world.wish(pausing(lambda: world.clock.now() + timedelta(seconds=seconds)))
    else:
        world.wish(pausing(lambda: None))
        world.scheduler.at(world.scheduler.now + int(seconds * SECOND), lambda: world.wish(resuming))


#: By the name of its fault, what is done to the world when it fires.
WEATHERS: Mapping[str, Callable[["World"], None]] = {
    "database.outage": _outage,
    "database.partition": _partition,
    "bus.outage": _bus_outage,
    "bus.restarts": lambda world: world.bus.restart(),
    "bus.foreign": _foreign,
    "process.heart_stopped": _heart_stopped,
    "process.drain": _drain,
    "clock.leap": lambda world: world.clock.leap(int(world.faults.amount("clock.leap", 1, 60) * SECOND)),
    "operator.pause": _pause,
    "janitor.any_time": lambda world: world.cleaner.sweep(world.some_sweep()),
}
assert WEATHERS.keys() <= BY_NAME.keys()
