"""The stores as a process reaches them: over a wire that breaks before or after the commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import isgenerator
from typing import TYPE_CHECKING, Any

from core import codes
from core.errors import TransientError
from core.models.claims import ClaimedTask
from core.ports.effects import EffectTransaction
from tests.simulation.scheduler import SECOND

if TYPE_CHECKING:
    from tests.simulation.process import Process


_LINE = 300


class Wire:
    """Calls of one process to the database.

    Args:
        process: Whose.
    """

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._world = process.world

    def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call that is one transaction; its answer may be lost."""
        self.reach("process.crash_before_commit")
        answer = method(*arguments)
        if self._world.lines is not None:
            self._world.note(self._process, f"{method.__name__}: {brief(arguments)} -> {brief(answer)}")
        self.arrive("process.crash_after_commit")
        return answer

    def reach(self, crash: str) -> None:
        """Get as far as the database."""
        process, faults = self._process, self._world.faults
        process.step(crash)
        self.look()
        if faults.fires("database.refuses"):
            raise _unavailable("refuses")

    def look(self) -> None:
        """Raise if the database is not there."""
        process, scheduler = self._process, self._world.scheduler
        if self._world.faults.fires("database.slow"):
            process.wait(int(self._world.faults.amount("database.slow", 0.1, 20) * SECOND))
        if max(process.cut_off_until, self._world.database_down_until) > scheduler.now:
            process.wait(SECOND)
            raise _unavailable("is down")

    def arrive(self, crash: str) -> None:
        """Get the answer back."""
        self._process.step(crash)
        if self._world.faults.fires("database.answer_lost"):
            raise _unavailable("answer lost")


class StorePort:
    """Any repository of the engine as one process reaches it.

    Args:
        wire: The way there.
        store: The repository.
    """

    def __init__(self, wire: Wire, store: Any) -> None:
        self._wire = wire
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method, call = getattr(self._store, name), self._wire.call

        def reach(*arguments: Any) -> Any:
            return call(method, *arguments)

        setattr(self, name, reach)
        return reach


class EffectsPort(StorePort):
    """`core.ports.effects.Effects` as one process reaches them."""

    @contextmanager
    def transaction(self, task: ClaimedTask) -> Iterator[EffectTransaction]:
        """Open a transaction that can break before and after its commit."""
        self._wire.look()
        with self._store.transaction(task) as transaction:
            yield transaction
            self._wire.reach("process.crash_before_effect")
        self._wire.arrive("process.crash_after_effect")


class BlobPort:
    """`core.ports.blobs.BlobStore` as one process reaches it.

    Args:
        process: Whose.
        store: The store.
    """

    def __init__(self, process: "Process", store: Any) -> None:
        self._process = process
        self._faults = process.world.faults
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)
        if name in ("url", "ref"):
            return method  # type: ignore[no-any-return]

        def reach(*arguments: Any, **options: Any) -> Any:
            self._reach()
            answer = method(*arguments, **options)
            if isgenerator(answer):
                answer = list(answer)
            self._look(name, (arguments, options), answer)
            self._process.step("process.crash_after_blob")
            if self._faults.fires("blobs.answer_lost"):
                raise TransientError(codes.STORAGE_UNAVAILABLE, "The blob store's answer is lost.")
            return answer

        setattr(self, name, reach)
        return reach

    def _reach(self) -> None:
        process, faults = self._process, self._faults
        if faults.fires("process.stall_at_blob"):
            process.stall(int(faults.amount("process.stall_at_blob", 40, 300) * SECOND))
        process.step("process.crash_before_blob")
        if faults.fires("blobs.refuses"):
            raise TransientError(codes.STORAGE_UNAVAILABLE, "The blob store refuses.")
        if faults.fires("blobs.slow"):
            process.wait(int(faults.amount("blobs.slow", 5, 300) * SECOND))

    def _look(self, name: str, asked: Any, answer: Any) -> None:
        world = self._process.world
        if world.lines is not None:
            world.note(self._process, f"{name}: {brief(asked)} -> {brief(answer)}")
        if name in ("upload", "copy"):
            world.look_at_write(name, answer)
        elif name == "commit_empty":
            world.look_at_write(name, self._store.properties(asked[0][0]))


def brief(value: Any) -> str:
    """Return a value as a trace shows it."""
    text = repr(value)
    return text if len(text) <= _LINE else f"{text[:_LINE]}..."


def _unavailable(what: str) -> TransientError:
    return TransientError(codes.DATABASE_UNAVAILABLE, f"The database {what}.")
