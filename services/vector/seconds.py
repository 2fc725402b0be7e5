"""Where the time goes."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Seconds:
    """Adds up time by phase; phases may run beside each other, and one in several threads.

    Args:
        before: What is known of phases that are over.
    """

    def __init__(self, before: Mapping[str, float] | None = None) -> None:
        self._adding = threading.Lock()
        self.by_phase = dict(before or {})

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
