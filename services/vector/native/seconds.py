"""Where the time goes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Seconds:
    """Adds up time by phase; phases may run beside each other, and one in several threads."""

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self.by_phase: dict[str, float] = {}

    @contextmanager
    def of(self, phase: str) -> Iterator[None]:
        """Count the time within as that of `phase`."""
        start = time.monotonic()
        try:
            yield
        finally:
            with self._adding:
                passed = self.by_phase.get(phase, 0.0) + time.monotonic() - start
                self.by_phase[phase] = round(passed, 6)
