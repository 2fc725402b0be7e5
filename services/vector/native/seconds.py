"""Where the time goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Seconds:
    """Adds up time by phase; phases may run beside each other."""

    def __init__(self) -> None:
        self.by_phase: dict[str, float] = {}

    @contextmanager
    def of(self, phase: str) -> Iterator[None]:
        """Count the time within as that of `phase`."""
        start = time.monotonic()
        try:
            yield
        finally:
            passed = self.by_phase.get(phase, 0.0) + time.monotonic() - start
            self.by_phase[phase] = round(passed, 6)
