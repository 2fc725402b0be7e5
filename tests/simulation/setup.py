"""What a seed decides before anything runs."""

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from core.planning import PlanLimits
from tests.simulation.bus import LANES
from tests.simulation.faults import FAULT_KINDS
from tests.simulation.scheduler import SECOND

_PROMPT_KINDS = frozenset(
    {"database.answer_lost", "database.refuses", "bus.duplicates", "bus.reorders", "clock.drift"}
)


@dataclass(frozen=True)
class Setup:
    """What a seed decides before anything runs.

    Args:
        seed: The seed.
        kinds: The fault kinds at work.
        intensity: Factor on their odds.
        only: The firings that are allowed; None: as chance has it.
        wishes: How many of the clients' wishes are made.
        has_watchdog: Whether there is one; without, bells alone must be enough.
        is_prompt: Whether no fault makes a bell late, so that work must be taken at once.
        plan_limits: From how many tasks on a stage has several slots.
        bells: Most bells for a commit.
        deliveries: After how many deliveries a bell is a dead letter.
        claim_batch: Most tasks of a claim.
        patience: How many seconds a worker waits for a lost database.
        workers: The lanes that each worker serves, a thread for each.
        latency: How often a step takes time.
        slowest: How long it then takes at most.
    """

    seed: int
    kinds: frozenset[str]
    intensity: float
    only: frozenset[str] | None
    wishes: int
    has_watchdog: bool
    is_prompt: bool
    plan_limits: PlanLimits
    bells: int
    deliveries: int
    claim_batch: int
    patience: int
    workers: tuple[tuple[str, ...], ...]
    latency: float
    slowest: int


def setup_of(seed: int, only: frozenset[str] | None = None, wishes: int = 1_000) -> Setup:
    """Return the setup of a seed, possibly cut down."""
    random = Random(f"setup {seed}")
    has_watchdog, is_prompt = seed % 3 != 0, seed % 9 == 0
    kinds = frozenset(
        kind.name for kind in FAULT_KINDS if random.random() < 0.4 and (has_watchdog or not kind.loses_bells)
    )
    if is_prompt:
        kinds = _PROMPT_KINDS
    pace = {"light": timedelta(milliseconds=2), "heavy": timedelta(seconds=1)}
    limits = PlanLimits(1, random.choice((2, 3)), pace) if seed % 2 else PlanLimits(256, 16, pace)
    threads = [tuple(random.choices(LANES, k=random.randint(1, 3))) for _ in range(random.randint(1, 3))]
    return Setup(
        seed=seed,
        kinds=kinds,
        intensity=8 if is_prompt else random.choice((0.3, 1, 1, 3)),
        only=only,
        wishes=wishes,
        has_watchdog=has_watchdog,
        is_prompt=is_prompt,
        plan_limits=limits,
        bells=200 if is_prompt else random.choice((1, 3, 20, 200)),
        deliveries=random.choice((2, 10)) if has_watchdog else 10,
        claim_batch=random.choice((1, 4, 50)),
        patience=random.choice((0, 3, 120)) if has_watchdog else 120,
        workers=(*threads, ("light", "heavy")),
        latency=random.choice((0.05, 0.2, 0.5)),
        slowest=10_000 if is_prompt else random.choice((10_000, 200_000, 5 * SECOND)),
    )
