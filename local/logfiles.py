"""Logs that stay small although their writers never close them."""

import shutil
from pathlib import Path

LIMIT_BYTES = 8 * 1024 * 1024


def bound(path: Path, limit: int = LIMIT_BYTES) -> None:
    """Move a log that has outgrown its limit aside, replacing the one moved before.

    The writers append to a descriptor that they inherited and survive their supervisor, so the
    file is emptied, not renamed. Lines written between copy and truncation are lost.
    """
    if not path.exists() or path.stat().st_size <= limit:
        return
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    with path.open("r+b") as log:
        log.truncate(0)


def tail(path: Path, lines: int = 15) -> list[str]:
    """Return the last lines of a log; none if there is no log."""
    if not path.exists():
        return []
    with path.open("rb") as log:
        log.seek(0, 2)
        log.seek(max(0, log.tell() - 64 * 1024))
        return log.read().decode(errors="replace").splitlines()[-lines:]
