"""Which fault fires when: made of a seed, so that a run can be repeated."""

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Planned:
    """A fault and when it fires, in seconds from the start."""

    at: float
    kind: str
    choice: float


def schedule(kinds: Sequence[str], seconds: float, seed: int) -> list[Planned]:
    """Return faults spread over `seconds`: every kind once before any fires again.

    Args:
        kinds: What there is.
        seconds: How long faults go on.
        seed: Decides about order, times, and which process each meets.
    """
    chance = random.Random(seed)
    planned: list[Planned] = []
    # Time to settle, so that faults meet work and not each other's ruins.
    at = chance.uniform(2.0, 4.0)
    while at < seconds:
        for kind in chance.sample(list(kinds), len(kinds)):
            if at < seconds:
                planned.append(Planned(round(at, 2), kind, chance.random()))
            at += chance.uniform(4.0, 9.0)
    return planned
