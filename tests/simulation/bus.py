"""A bus that loses, doubles, delays and reorders bells, and a port to it for each process."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from core import codes
from core.errors import TransientError
from core.ports.queue import BusMessage
from tests.simulation.process import instant
from tests.simulation.scheduler import SECOND, Actor

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

LANES = ("light", "heavy")
_LIFETIME = 3600 * SECOND
_LOCK = 60 * SECOND


@dataclass(eq=False)
class Letter:
    """A bell in the bus."""

    number: int
    lane: str
    expires: int
    deliveries: int = 0
    locked: int = 0
    gone: bool = False


class Bus:
    """The broker.

    Args:
        world: Time, chance and faults.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._numbers = 0
        self._ready: dict[str, list[Letter]] = {lane: [] for lane in LANES}
        self._dead: dict[str, list[BusMessage]] = {lane: [] for lane in LANES}
        self._waiting: dict[str, list[Actor]] = {lane: [] for lane in LANES}
        self._busy = dict.fromkeys(LANES, 0)
        self._idle_since = dict.fromkeys(LANES, 0)
        self.idle = dict.fromkeys(LANES, (0, 0))
        self._generation = 0
        self.down_until = 0

    def accept(self, lane: str, delay: int = 0) -> None:
        """Take a bell over, to be delivered after `delay`."""
        faults, now = self._world.faults, self._world.scheduler.now
        if faults.fires("bus.drops"):
            return
        for _ in range(2 if faults.fires("bus.duplicates") else 1):
            late = delay
            if faults.fires("bus.delays"):
                late += int(faults.amount("bus.delays", 1, 600) * SECOND)
            if delay and faults.fires("bus.early"):
                late = max(0, late - int(faults.amount("bus.early", 0.001, 0.9) * SECOND))
            self._numbers += 1
            letter = Letter(self._numbers, lane, now + late + _LIFETIME)
            self._later(late, letter)

    def receive(self, lane: str) -> Letter:
        """Wait for a bell and lock it."""
        scheduler = self._world.scheduler
        while True:
            letter = self._pick(lane)
            if letter is not None:
                if not self._busy[lane]:
                    self.idle[lane] = (self._idle_since[lane], scheduler.now)
                self._busy[lane] += 1
                return self._lock(letter)
            actor = scheduler.current
            assert actor is not None
            self._waiting[lane].append(actor)
            scheduler.park()

    def done(self, lane: str) -> None:
        """See a thread have answered its bell; `idle` tells when none of a lane had anything to answer."""
        self._busy[lane] -= 1
        if not self._busy[lane]:
            self._idle_since[lane] = self._world.scheduler.now

    def settle(self, letter: Letter, lock: int) -> None:
        """Remove a bell, if its lock still holds."""
        if letter.locked != lock or letter.gone:
            return
        if self._world.faults.fires("bus.settle_lost"):
            self._unlock(letter, lock)
        else:
            letter.gone = True

    def give_back(self, letter: Letter, lock: int) -> None:
        """Return a bell that could not be answered."""
        self._unlock(letter, lock)

    def forget_later(self, letter: Letter, lock: int) -> None:
        """See a holder disappear: its bell comes back when the lock has run out."""
        self._world.scheduler.at(self._world.scheduler.now + _LOCK, lambda: self._unlock(letter, lock))

    def drain(self, lane: str, limit: int) -> Sequence[BusMessage]:
        """Remove dead letters."""
        dead = self._dead[lane]
        drained, dead[:] = dead[:limit], dead[limit:]
        return drained

    def restart(self) -> None:
        """Lose everything."""
        self._generation += 1
        for lane in LANES:
            self._ready[lane].clear()
            self._dead[lane].clear()

    def bury(self, lane: str, body: str) -> None:
        """Put a message among the dead letters."""
        self._dead[lane].append(BusMessage(0, body, None, None, 1, "simulated"))

    @property
    def lying(self) -> int:
        """Return how many bells are ready."""
        return sum(len(letters) for letters in self._ready.values())

    def _later(self, delay: int, letter: Letter) -> None:
        if not delay:
            self._arrive(letter)
            return
        generation = self._generation

        def arrive() -> None:
            if generation == self._generation:
                self._arrive(letter)

        self._world.scheduler.at(self._world.scheduler.now + delay, arrive)

    def _arrive(self, letter: Letter) -> None:
        self._ready[letter.lane].append(letter)
        waiting = self._waiting[letter.lane]
        scheduler = self._world.scheduler
        while waiting:
            actor = waiting.pop(int(scheduler.random.random() * len(waiting)))
            if actor.parked and not actor.killed:
                scheduler.wake(actor, int(scheduler.random.random() * 20_000))
                return

    def _pick(self, lane: str) -> Letter | None:
        ready, world = self._ready[lane], self._world
        while ready:
            index = 0
            if len(ready) > 1 and world.faults.fires("bus.reorders"):
                index = int(world.scheduler.random.random() * len(ready))
            letter = ready.pop(index)
            if letter.expires <= world.scheduler.now or world.faults.fires("bus.expires"):
                letter.gone = True
            elif world.faults.fires("bus.dead_letters"):
                self.bury(lane, json.dumps({"lane": lane}))
            else:
                return letter
        return None

    def _lock(self, letter: Letter) -> Letter:
        letter.deliveries += 1
        letter.locked += 1
        faults, scheduler = self._world.faults, self._world.scheduler
        if faults.fires("bus.lock_lost"):
            lock = letter.locked
            delay = int(faults.amount("bus.lock_lost", 0.01, 60) * SECOND)
            scheduler.at(scheduler.now + delay, lambda: self._unlock(letter, lock))
        return letter

    def _unlock(self, letter: Letter, lock: int) -> None:
        if letter.locked != lock or letter.gone:
            return
        letter.locked += 1
        if letter.deliveries >= self._world.setup.deliveries:
            letter.gone = True
            self._world.seen("bell dead-lettered by its deliveries")
            self.bury(letter.lane, json.dumps({"lane": letter.lane}))
        else:
            self._arrive(letter)


class BusPort:
    """`core.ports.queue.MessageQueue` of one process.

    Args:
        process: Whose steps these are.
    """

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._world = process.world

    def ring(self, lane: str, count: int = 1) -> None:
        """Send bells."""
        self._send(lambda: self._world.bus.accept(lane), count)

    def ring_later(self, lane: str, delay: timedelta) -> None:
        """Schedule a bell."""
        # The bus is told an instant, and that by the clock of the sender.
        sooner = self._process.clock.now() - instant(self._world.scheduler.now)
        microseconds = max(0, (delay + sooner) // timedelta(microseconds=1))
        self._send(lambda: self._world.bus.accept(lane, microseconds), 1)

    def peek(self, lane: str, limit: int, *, dead_letters: bool = False) -> Sequence[BusMessage]:
        """Show nothing."""
        return ()

    def drain_dead_letters(self, lane: str, limit: int) -> Sequence[BusMessage]:
        """Remove dead letters."""
        self._reach("before")
        drained = self._world.bus.drain(lane, limit)
        self._process.step("process.crash_after_send")
        return drained

    def ping(self) -> None:
        """Answer."""

    def _send(self, send: Callable[[], None], count: int) -> None:
        self._reach("before")
        faults = self._world.faults
        sent = count
        if count > 1 and faults.fires("bus.partial"):
            sent = count // 2
        for _ in range(sent):
            send()
        self._process.step("process.crash_after_send")
        if sent < count:
            raise _unavailable("took a part")
        if faults.fires("bus.answer_lost"):
            raise _unavailable("answer lost")

    def _reach(self, when: str) -> None:
        self._process.step("process.crash_before_send")
        if self._world.bus.down_until > self._world.scheduler.now:
            self._process.wait(SECOND)
            raise _unavailable("is down")
        if self._world.faults.fires("bus.refuses"):
            raise _unavailable("refuses")


def _unavailable(what: str) -> TransientError:
    return TransientError(codes.BUS_UNAVAILABLE, f"The bus {what}.")
