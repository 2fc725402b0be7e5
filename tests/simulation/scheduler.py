"""Who does the next step, and when: threads that hand one baton around in virtual time.

The engine's code is ordinary blocking code, so every actor has a thread of its own; but only the
holder of the baton runs, and it gives the baton away at the boundaries that the simulation puts
into the ports. The same seed makes the same choices, whatever the machine does.
"""

import heapq
import threading
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

SECOND = 1_000_000


class Killed(BaseException):
    """The simulated process is gone: no further line of it has an effect."""


class Endless(Exception):
    """A run took more steps than any sane one does."""


class Actor:
    """One thread of a simulated process.

    Args:
        name: For the trace.
        process: What it is a part of.
        body: What it does.
    """

    __slots__ = ("body", "carrier", "done", "killed", "name", "parked", "process", "ticket")

    def __init__(self, name: str, process: Any, body: Callable[[], object]) -> None:
        self.name = name
        self.process = process
        self.body = body
        self.carrier: _Carrier | None = None
        self.ticket = -1
        self.killed = False
        self.parked = False
        self.done = False


class _Carrier(threading.Thread):
    """A real thread that runs one actor after the other, over many runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="actor")
        self.baton = threading.Lock()
        self.baton.acquire()
        self.work: tuple[Scheduler, Actor] | None = None
        self.start()

    def run(self) -> None:
        while True:
            self.baton.acquire()
            assert self.work is not None
            scheduler, actor = self.work
            scheduler._live(actor)


_IDLE: list[_Carrier] = []


class Scheduler:
    """Virtual time, in microseconds, and the order of all that happens in it.

    Args:
        seed: Decides every choice.
        most_steps: More are taken for an endless loop.
    """

    def __init__(self, seed: str, most_steps: int) -> None:
        self.now = 0
        self.steps = 0
        self.random = Random(seed)
        self.current: Actor | None = None
        self.error: BaseException | None = None
        self._most_steps = most_steps
        self._heap: list[tuple[int, float, int, Actor | Callable[[], object]]] = []
        self._tickets = count()
        self._actors: list[Actor] = []
        self._finished = False
        self._unwinding = False
        self._main = threading.Lock()
        self._main.acquire()

    def at(self, time: int, callback: Callable[[], object]) -> None:
        """Call something, which must not block, at an instant."""
        self._push(time, callback)

    def spawn(self, name: str, process: Any, body: Callable[[], object]) -> Actor:
        """Begin an actor now."""
        actor = Actor(name, process, body)
        self._actors.append(actor)
        if len(self._actors) > 200:
            self._actors = [one for one in self._actors if not one.done]
        actor.ticket = self._push(self.now, actor)
        return actor

    def sleep(self, duration: int) -> None:
        """Let the current actor wait."""
        actor = self._running()
        actor.ticket = self._push(self.now + duration, actor)
        self._hand_over(actor)

    def park(self) -> None:
        """Let the current actor wait until somebody wakes it."""
        actor = self._running()
        actor.parked = True
        self._hand_over(actor)

    def wake(self, actor: Actor, delay: int = 0) -> None:
        """End a `park`."""
        if actor.parked and not actor.done:
            actor.parked = False
            actor.ticket = self._push(self.now + delay, actor)

    def kill(self, actor: Actor) -> None:
        """Let an actor do nothing any more: where it waits, it unwinds."""
        actor.killed = True
        if actor is not self.current and not actor.done:
            actor.parked = False
            actor.ticket = self._push(self.now, actor)

    def finish(self, error: BaseException | None = None) -> None:
        """End the run after the present step."""
        self.error = self.error or error
        self._finished = True

    def run(self) -> None:
        """Run until nothing is left to do or somebody calls `finish`; raise what went wrong."""
        first = self._next()
        if first is not None:
            self._give(first)
            self._main.acquire()
        self._unwinding = True
        for actor in self._actors:
            if actor.carrier is not None and not actor.done:
                actor.killed = True
                self._give(actor)
                self._main.acquire()
        if self.error is not None:
            raise self.error

    def _running(self) -> Actor:
        actor = self.current
        assert actor is not None
        if actor.killed:
            raise Killed
        return actor

    def _push(self, time: int, what: Actor | Callable[[], object]) -> int:
        ticket = next(self._tickets)
        heapq.heappush(self._heap, (time, self.random.random(), ticket, what))
        return ticket

    def _next(self) -> Actor | None:
        """Return the actor whose turn it is, having called what was due before it."""
        while self._heap and not self._finished:
            time, _, ticket, what = heapq.heappop(self._heap)
            if not isinstance(what, Actor):
                self.now = max(self.now, time)
                self.current = None
                self._guarded(what)
            elif what.ticket == ticket and not what.done:
                self.now = max(self.now, time)
                self.steps += 1
                if self.steps > self._most_steps:
                    self.finish(Endless(f"more than {self._most_steps} steps"))
                return what
        return None

    def _guarded(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        except Killed:
            pass
        except Exception as error:  # noqa: BLE001 - a bug ends the run, whatever it is
            self.finish(error)

    def _give(self, actor: Actor) -> None:
        if actor.carrier is None:
            actor.carrier = _IDLE.pop() if _IDLE else _Carrier()
            actor.carrier.work = (self, actor)
        self.current = actor
        actor.carrier.baton.release()

    def _hand_over(self, actor: Actor) -> None:
        following = self._next()
        if following is actor:
            self.current = actor
        else:
            self._pass_on(following)
            assert actor.carrier is not None
            actor.carrier.baton.acquire()
        if actor.killed:
            raise Killed

    def _pass_on(self, following: Actor | None) -> None:
        if following is None:
            self._main.release()
        else:
            self._give(following)

    def _live(self, actor: Actor) -> None:
        try:
            if not actor.killed:
                actor.body()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - a bug ends the run, whatever it is
            self.finish(error)
        actor.done = True
        carrier = actor.carrier
        assert carrier is not None
        # From here on the carrier may be given its next actor, even by the call below.
        _IDLE.append(carrier)
        self._pass_on(None if self._unwinding else self._next())
