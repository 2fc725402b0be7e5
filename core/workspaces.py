"""Directories of tasks: one each while it runs, and gone afterwards, also when its worker was killed."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LOCK = ".lock"


@dataclass(frozen=True)
class Workspace:
    """A directory, and the lock that says that its process lives.

    The system lets go of the lock when the process ends, however it ends. It is not inherited, so an
    orphaned child keeps nothing.

    Args:
        path: The directory.
        lock: File descriptor of the file beside it.
    """

    path: Path
    lock: int

    def remove(self) -> None:
        """Remove the directory and what is in it."""
        _remove(self.path)
        os.close(self.lock)


def make_workspace(root: Path, name: str) -> Workspace:
    """Make a directory whose name begins with `name`, after removing those of dead processes."""
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    while True:
        descriptor, lock_name = tempfile.mkstemp(prefix=f"{name}-", suffix=_LOCK, dir=root)
        lock = Path(lock_name)
        # A sweep that comes between the making of the lock and its taking removes it as a dead one's.
        if _take(descriptor) and lock.exists():
            path = lock.with_suffix("")
            path.mkdir(mode=0o700)
            return Workspace(path, descriptor)
        os.close(descriptor)


def _sweep(root: Path) -> None:
    for lock in root.glob(f"*{_LOCK}"):
        with suppress(FileNotFoundError):
            descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            try:
                if _take(descriptor):
                    _remove(lock.with_suffix(""))
            finally:
                os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.with_suffix(_LOCK).unlink(missing_ok=True)
