"""Memory of the local system's workers while something runs."""

import threading

import psutil

from benchmarks.system import System

_MIB = 1024 * 1024
_SECONDS = 0.1


class MemoryWatch:
    """Samples the largest worker, its children included, while a block runs.

    Args:
        local: The system whose workers are watched.
    """

    def __init__(self, local: System) -> None:
        self._workers = local.workers()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.peak_mib = 0.0

    def __enter__(self) -> "MemoryWatch":
        """Begin to sample."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()

    def now_mib(self) -> float:
        """Return what the largest worker holds now."""
        return max(map(_tree_mib, self._workers), default=0.0)

    def _run(self) -> None:
        while not self._stop.wait(_SECONDS):
            self.peak_mib = max(self.peak_mib, self.now_mib())


def _share(process: psutil.Process) -> int:
    """Return a process's memory; what forked processes have in common counts once for all of them."""
    info = process.memory_full_info()
    return int(getattr(info, "pss", info.uss))


def _tree_mib(process: psutil.Process) -> float:
    try:
        tree = [process, *process.children(recursive=True)]
        return sum(map(_share, tree)) / _MIB
    except psutil.NoSuchProcess:
        return 0.0
