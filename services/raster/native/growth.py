"""Progress of the COG driver, read off the files that it leaves: rasterio passes no callback on."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

_INTERVAL_SECONDS: Final = 0.5


@dataclass(frozen=True)
class _Phase:
    suffix: str
    message: str
    start: float
    end: float
    share: float


# Scratch files of the driver in the order in which they appear; `share` is their usual size
# against the uncompressed output. A warp takes about half of the time.
_PHASES: Final = (
    _Phase("warped.tif.tmp", "warping", 0.05, 0.55, 0.6),
    _Phase("ovr.tmp", "building overviews", 0.55, 0.7, 0.2),
    _Phase("", "writing the COG", 0.7, 0.95, 0.6),
)


class GrowthWatch:
    """Reports while its block runs, from a thread; never backwards.

    Args:
        output: The file that is written; the driver's scratch files begin with its name.
        nbytes: Uncompressed size of the output.
        report: Called with a fraction and a message.
    """

    def __init__(self, output: Path, nbytes: int, report: Callable[[float, str], None]) -> None:
        self._output = output
        self._nbytes = max(nbytes, 1)
        self._report = report
        self._reached = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="growth-watch", daemon=True)

    def __enter__(self) -> "GrowthWatch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_INTERVAL_SECONDS):
            fraction, message = self._look()
            self._reached = max(self._reached, fraction)
            self._report(self._reached, message)

    def _look(self) -> tuple[float, str]:
        sizes = self._sizes()
        for phase in reversed(_PHASES):
            written = [
                size for name, size in sizes.items() if name.endswith(phase.suffix or self._output.name)
            ]
            if sum(written):
                return self._fraction(phase, sum(written)), phase.message
        return self._reached, "starting"

    def _sizes(self) -> dict[str, int]:
        sizes = {}
        for path in self._output.parent.glob(f"{self._output.stem}*"):
            try:
                sizes[path.name] = path.stat().st_size
            except FileNotFoundError:
                # The driver removed it between the two calls.
                continue
        return sizes

    def _fraction(self, phase: _Phase, nbytes: int) -> float:
        """Approach the end of a phase as its file grows: how far it will grow is not known."""
        grown = 1 - math.exp(-2 * nbytes / (self._nbytes * phase.share))
        return phase.start + (phase.end - phase.start) * grown
