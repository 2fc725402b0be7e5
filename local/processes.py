"""Processes that outlive whoever started them: records by pid and start time, and how to end them."""

import os
import signal
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil

from local.home import Home

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class ProcessRecord:
    """A process that this home started.

    Args:
        name: What it is, e.g. ``postgres``.
        pid: Its id, which is also its session's and its group's.
        started: What tells it from a later process with the same id.
    """

    name: str
    pid: int
    started: str

    @property
    def is_alive(self) -> bool:
        """Say whether this very process still runs; a zombie does not."""
        return start_token(self.pid) == self.started


def start_token(pid: int) -> str | None:
    """Return what identifies the process that has this id now, None if no process runs under it.

    On Linux it is made of the boot and the tick of the start, which a change of the clock leaves alone.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id")
        if not boot.exists():
            return f"{process.create_time():.2f}"
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return f"{boot.read_text().strip()}/{fields[19]}"
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None


def remember(home: Home, name: str, pid: int) -> ProcessRecord:
    """Write the record of a process that was just started."""
    record = ProcessRecord(name, pid, start_token(pid) or "")
    home.write(f"processes/{name}", {"pid": record.pid, "started": record.started})
    return record


def forget(home: Home, name: str) -> None:
    """Remove a record; nothing happens if there is none."""
    (home.run / "processes" / f"{name}.json").unlink(missing_ok=True)


def recorded(home: Home) -> dict[str, ProcessRecord]:
    """Return the record of every process that this home started and did not see end."""
    records: dict[str, ProcessRecord] = {}
    for path in sorted((home.run / "processes").glob("*.json")):
        value = home.read(f"processes/{path.stem}")
        if isinstance(value.get("pid"), int):
            records[path.stem] = ProcessRecord(path.stem, value["pid"], str(value.get("started")))
    return records


def members(record: ProcessRecord) -> list[int]:
    """Return the ids of the processes in the session that the recorded one leads, itself included.

    They can outlive their leader. While they do, the system gives its id to nobody else; so an id
    that belongs to a later process means that none is left.
    """
    token = start_token(record.pid)
    if token is not None and token != record.started:
        return []
    return [pid for pid in psutil.pids() if _session(pid) == record.pid and start_token(pid)]


def stop(record: ProcessRecord, *, with_signal: signal.Signals, grace: timedelta) -> bool:
    """End a process and what is left of its session.

    Returns:
        True if it ended by itself after the signal, False if it had to be killed.
    """
    ended = True
    if record.is_alive:
        _send(record.pid, with_signal)
        ended = wait_for_end(record, grace)
    kill_members(record)
    return ended


def kill_members(record: ProcessRecord) -> None:
    """Kill what is left of a session and return when nothing is."""
    deadline = time.monotonic() + 10
    while (left := members(record)) and time.monotonic() < deadline:
        for pid in left:
            _send(pid, signal.SIGKILL)
        _reap(left)
        time.sleep(_POLL_SECONDS)


def wait_for_end(record: ProcessRecord, patience: timedelta) -> bool:
    """Wait until the process has ended; say whether it has."""
    deadline = time.monotonic() + patience.total_seconds()
    while record.is_alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
