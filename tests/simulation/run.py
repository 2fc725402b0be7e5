"""One seed, run and judged."""

import hashlib
import logging
from collections import Counter
from dataclasses import dataclass, field

from tests.simulation import laws
from tests.simulation.scheduler import Endless
from tests.simulation.setup import Setup, setup_of
from tests.simulation.world import LawBroken, World


@dataclass(frozen=True)
class Verdict:
    """What became of a run.

    Args:
        seed: Its seed.
        law: The law that was broken, if one was.
        detail: By what.
        faults: How often each kind fired.
        sights: What was met, and how often.
        lives: Revisions of jobs that ended.
        tasks: Tasks that ended.
        steps: Steps that were scheduled.
        fired: Each firing.
        digest: Of the whole history; the same for the same seed on every machine.
        lines: The trace, if it was asked for.
    """

    seed: int
    law: str | None
    detail: str
    faults: Counter[str]
    sights: Counter[str]
    lives: int
    tasks: int
    steps: int
    fired: tuple[str, ...]
    digest: str
    lines: list[str] = field(default_factory=list)


def simulate(seed: int) -> Verdict:
    """Run a seed."""
    return judge(World(setup_of(seed)))


def replay(setup: Setup) -> Verdict:
    """Run a setup again, with its trace."""
    return judge(World(setup, trace=True))


def judge(world: World) -> Verdict:
    """Run a world and hold it to the laws."""
    broken = _broken(world)
    law, detail = broken or (None, "")
    return Verdict(
        seed=world.seed,
        law=law,
        detail=detail,
        faults=world.faults.counts,
        sights=world.sights,
        lives=len(world.state.stages),
        tasks=len(world.state.tasks),
        steps=world.scheduler.steps,
        fired=tuple(world.faults.fired),
        digest=_digest(world),
        lines=[*world.lines, *_remains(world)] if world.lines is not None else [],
    )


def _broken(world: World) -> tuple[str, str] | None:
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        world.run()
    except LawBroken as error:
        return error.law, error.detail
    except Endless as error:
        return "every run ends", str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the engine must not raise it
        return "the engine raises no surprises", f"{type(error).__name__}: {error}"
    finally:
        logging.disable(disabled)
    return laws.first_fault(world)


def _digest(world: World) -> str:
    events = [
        (e.at, e.job_id, e.revision, e.subject, e.event, e.stage, e.task_id, e.worker)
        for e in world.state.events
    ]
    text = repr((events, sorted(world.faults.counts.items()), world.scheduler.steps))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _remains(world: World) -> list[str]:
    """Return what is still open, as lines of the trace."""
    now = world.state.clock.now()
    open_tasks = [task for task in world.state.tasks.values() if task.completed_at is None]
    lines = [f"the store's clock says {now}", f"engine: {world.state.engine}", f"lanes: {world.state.lanes}"]
    return lines + [
        f"open: {task.kind} {task.task_id} of {task.job_id[:8]} {task.revision}, stage {task.stage}, "
        f"{task.lane} {task.status}, runs after {task.run_after}, leased until {task.lease_until}"
        for task in open_tasks
    ]
