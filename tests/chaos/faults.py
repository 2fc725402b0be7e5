"""What is done to a running system, one function a kind of fault."""

import errno
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from local.home import Home
from local.processes import recorded
from tests.factories.local_system import RunningSystem

LEASE_SECONDS = 4
_STOP_SECONDS = LEASE_SECONDS + 3
_GRACE_SECONDS = 2
_DISK_SECONDS = 6
_WORKSPACE_MIB = 192
_SMALL_FILE_BYTES = 64 * 1024


@dataclass
class Machine:
    """The processes and the disk of one system, to be broken.

    Args:
        system: The system.
        own_disk: Whether the workspaces lie on a small disk of their own.
    """

    system: RunningSystem
    own_disk: bool
    _healing: list[threading.Timer] = field(default_factory=list)
    azurite_killed_at: list[float] = field(default_factory=list)

    def pick(self, found: Sequence[psutil.Process], choice: float) -> psutil.Process | None:
        """Return one of some processes, or None while there is none."""
        ordered = sorted(found, key=lambda process: process.pid)
        return ordered[int(choice * len(ordered))] if ordered else None

    def server(self, name: str) -> list[psutil.Process]:
        """Return the process of a server, unless it is being restarted."""
        record = recorded(Home(self.system.home)).get(name)
        if record is None or not record.is_alive:
            return []
        with suppress(psutil.NoSuchProcess):
            return [psutil.Process(record.pid)]
        return []

    def backends(self) -> list[psutil.Process]:
        """Return the backends that serve the app."""
        found = []
        for server in self.server("postgres"):
            with suppress(psutil.NoSuchProcess):
                found += [child for child in server.children() if _serves_the_app(child)]
        return found

    def later(self, seconds: float, heal: Callable[[], object]) -> None:
        """Undo a fault after a while, or at the end."""
        timer = threading.Timer(seconds, heal)
        self._healing.append(timer)
        timer.start()

    def heal(self) -> None:
        """Return when everything that was to be undone is."""
        for timer in self._healing:
            timer.join()


Fault = Callable[[Machine, float], bool]


def kill_worker(machine: Machine, choice: float) -> bool:
    """Kill one worker of the Functions host."""
    return _send(machine.pick(machine.system.workers(), choice), signal.SIGKILL)


def kill_all_workers(machine: Machine, choice: float) -> bool:
    """Kill every worker at once."""
    return _send_all(machine.system.workers(), signal.SIGKILL)


def kill_host(machine: Machine, choice: float) -> bool:
    """Kill the Functions host above its workers."""
    return _kill_server(machine, "functions")


def kill_broker(machine: Machine, choice: float) -> bool:
    """Kill the broker, and with it every message."""
    return _kill_server(machine, "servicebus")


def kill_backend(machine: Machine, choice: float) -> bool:
    """Kill one backend, after which PostgreSQL ends all others and recovers."""
    return _send(machine.pick(machine.backends(), choice), signal.SIGKILL)


def kill_postgres(machine: Machine, choice: float) -> bool:
    """Kill PostgreSQL as a power cut would: the server with all of its processes."""
    killed = False
    for server in machine.server("postgres"):
        with suppress(psutil.NoSuchProcess):
            family = [server, *server.children(recursive=True)]
            killed = _send_all(family, signal.SIGKILL)
    return killed


def kill_azurite(machine: Machine, choice: float) -> bool:
    """Kill the blob store. Unlike the real one it forgets what it was told in the last five seconds."""
    machine.azurite_killed_at.append(time.time())
    return _kill_server(machine, "azurite")


def stop_worker(machine: Machine, choice: float) -> bool:
    """Stop a worker for longer than its lease, then let it go on as if nothing had happened."""
    worker = machine.pick(machine.system.workers(), choice)
    stopped = _send(worker, signal.SIGSTOP)
    if stopped:
        machine.later(_STOP_SECONDS, lambda: _send(worker, signal.SIGCONT))
    return stopped


def drain_worker(machine: Machine, choice: float) -> bool:
    """Ask a worker to end, and kill it two seconds later, as the platform does."""
    worker = machine.pick(machine.system.workers(), choice)
    asked = _send(worker, signal.SIGTERM)
    if asked:
        machine.later(_GRACE_SECONDS, lambda: _send(worker, signal.SIGKILL))
    return asked


def fill_disk(machine: Machine, choice: float) -> bool:
    """Fill the disk of the workspaces for a while, or let the workers write small files only."""
    if not machine.own_disk:
        return _limit_files(machine)
    ballast = machine.system.home / "workspace" / "ballast"
    filled = _fill(ballast)
    machine.later(_DISK_SECONDS, lambda: ballast.unlink(missing_ok=True))
    return filled


KINDS: Mapping[str, Fault] = {
    "kill_worker": kill_worker,
    "kill_all_workers": kill_all_workers,
    "kill_host": kill_host,
    "kill_broker": kill_broker,
    "kill_backend": kill_backend,
    "kill_postgres": kill_postgres,
    "kill_azurite": kill_azurite,
    "stop_worker": stop_worker,
    "drain_worker": drain_worker,
    "fill_disk": fill_disk,
}


def impossible(*, own_disk: bool) -> set[str]:
    """Return the kinds that cannot be brought about on this machine."""
    return set() if own_disk or hasattr(psutil, "RLIMIT_FSIZE") else {"fill_disk"}


def mount_workspace(home: Path) -> bool:
    """Give the workspaces a small disk of their own; False where this account may not mount one."""
    workspace = home / "workspace"
    workspace.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_WORKSPACE_MIB}m", "terrane-chaos", str(workspace)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def unmount_workspace(home: Path) -> None:
    """Take it away again."""
    subprocess.run(["umount", "-l", str(home / "workspace")], capture_output=True, check=False)


def _fill(ballast: Path) -> bool:
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError as error:
        return error.errno == errno.ENOSPC


def _limit_files(machine: Machine) -> bool:
    limited = []
    for worker in machine.system.workers():
        with suppress(psutil.NoSuchProcess):
            for process in (worker, *worker.children(recursive=True)):
                limits = process.rlimit(psutil.RLIMIT_FSIZE)
                process.rlimit(psutil.RLIMIT_FSIZE, (_SMALL_FILE_BYTES, limits[1]))
                limited.append((process, limits))
    machine.later(_DISK_SECONDS, lambda: _unlimit(limited))
    return bool(limited)


def _unlimit(limited: list[tuple[psutil.Process, tuple[int, int]]]) -> None:
    for process, limits in limited:
        with suppress(psutil.NoSuchProcess):
            process.rlimit(psutil.RLIMIT_FSIZE, limits)


def _kill_server(machine: Machine, name: str) -> bool:
    return _send_all(machine.server(name), signal.SIGKILL)


def _send_all(found: Sequence[psutil.Process], number: signal.Signals) -> bool:
    return sum(_send(process, number) for process in found) > 0


def _send(process: psutil.Process | None, number: signal.Signals) -> bool:
    if process is None:
        return False
    try:
        # Looks whether the id still means this process.
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def _serves_the_app(backend: psutil.Process) -> bool:
    try:
        return " ".join(backend.cmdline()).startswith("postgres: terrane_app")
    except psutil.Error:
        return False
