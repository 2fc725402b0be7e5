"""The process that starts the servers in order, restarts what dies, and stops them in reverse."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

from local import logfiles, processes
from local.accounts import Launch
from local.binaries import Missing
from local.environment import owner_environment
from local.processes import ProcessRecord
from local.services import Service, System

logger = logging.getLogger(__name__)

NAME = "supervisor"
READY_WITHIN = timedelta(seconds=90)
_MIGRATE = "migrate"
_TICK_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 10.0
# A server that ran this long was well; its next death starts the backoff anew.
_WELL_AFTER_SECONDS = 30.0
_DEATHS_BEFORE_READY = 4


class StartFailed(Exception):
    """A server could not be started; the message names it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name


class Stopped(Exception):
    """The supervisor was asked to stop while it waited for something."""


@dataclass
class Child:
    """A server and the process that it runs in now, if any."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    record: ProcessRecord | None = None
    started_at: float = 0.0
    deaths: int = 0
    next_start: float = 0.0


class Supervisor:
    """Runs one system until it is told to stop.

    Args:
        system: What to run.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._home = system.addresses.home
        self._children = [Child(service) for service in system.services()]
        self._stopping = threading.Event()

    def run(self) -> int:
        """Start everything, keep it running, and stop it on SIGTERM or SIGINT.

        Returns:
            The exit code: 0 after a stop that was asked for, 1 if a server could not be started.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        processes.remember(self._home, NAME, os.getpid())
        try:
            self._start_all()
            self._report("running")
            self._keep_running()
        except Stopped:
            pass
        except (StartFailed, Missing, OSError, subprocess.SubprocessError) as error:
            logger.exception("start failed")
            self._stop_all()
            self._report("failed", detail=str(error), culprit=getattr(error, "name", NAME))
            return 1
        self._stop_all()
        self._report("stopped")
        return 0

    def _start_all(self) -> None:
        for child in self._children:
            if not child.service.needs_others:
                self._tend(child)
        for child in self._children:
            self._report("starting", detail=child.service.name)
            self._start_until_ready(child)
            child.service.provision()
            if child.service.name == "postgres":
                self._migrate()
            logger.info("server ready", extra={"server": child.service.name, "port": child.service.port})

    def _start_until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + READY_WITHIN.total_seconds()
        while not (self._tend(child) and child.service.is_ready()):
            if child.deaths >= _DEATHS_BEFORE_READY:
                raise StartFailed(child.service.name, "it ends as soon as it is started")
            if time.monotonic() > deadline:
                raise StartFailed(child.service.name, f"it does not answer on port {child.service.port}")
            self._pause()

    def _keep_running(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS):
            for child in self._children:
                try:
                    self._tend(child)
                except (Missing, OSError, subprocess.SubprocessError):
                    # Whatever hinders one start (a full disk, a file in the way) may pass.
                    logger.exception("restart failed", extra={"server": child.service.name})
                    self._note_death(child)
                logfiles.bound(self._home.log(child.service.name))
            logfiles.bound(self._home.log(NAME))

    def _tend(self, child: Child) -> bool:
        """Start the server if it does not run and its pause is over; say whether it runs."""
        if child.process is not None and child.process.poll() is None:
            return True
        if child.process is not None:
            logger.warning(
                "server ended", extra={"server": child.service.name, "code": child.process.returncode}
            )
            self._note_death(child)
        if time.monotonic() < child.next_start:
            return False
        child.service.prepare()
        self._start(child)
        return True

    def _start(self, child: Child) -> None:
        service = child.service
        launch = service.launch()
        child.process = launch.start(service.environment, service.directory, self._home.log(service.name))
        child.record = processes.remember(self._home, service.name, child.process.pid)
        child.started_at = time.monotonic()
        logger.info("server started", extra={"server": service.name, "pid": child.process.pid})

    def _note_death(self, child: Child) -> None:
        if child.record is not None:
            # Workers that outlived their parent would hold its port.
            processes.kill_members(child.record)
        if time.monotonic() - child.started_at > _WELL_AFTER_SECONDS:
            child.deaths = 0
        pause = min(0.2 * 2**child.deaths, _LONGEST_PAUSE_SECONDS)
        child.process, child.deaths, child.next_start = None, child.deaths + 1, time.monotonic() + pause

    def _migrate(self) -> None:
        if not (self._system.app / "triggers" / "migrate.py").exists():
            return
        self._report("starting", detail="migrations")
        environment = {**os.environ, **owner_environment(self._system.addresses)}
        launch = Launch((sys.executable, "-m", "triggers.migrate"))
        process = launch.start(environment, self._system.app, self._home.log(_MIGRATE))
        record = processes.remember(self._home, _MIGRATE, process.pid)
        try:
            while process.poll() is None:
                self._pause()
        finally:
            processes.kill_members(record)
            processes.forget(self._home, _MIGRATE)
        if process.returncode:
            raise StartFailed(_MIGRATE, f"python -m triggers.migrate ended with {process.returncode}")

    def _pause(self) -> None:
        if self._stopping.wait(_TICK_SECONDS):
            raise Stopped

    def _stop_all(self) -> None:
        for child in reversed(self._children):
            if child.process is not None and child.record is not None:
                self._report("stopping", detail=child.service.name)
                stop_child(child.process, child.record, child.service)
                logger.info("server stopped", extra={"server": child.service.name})
            processes.forget(self._home, child.service.name)
        processes.forget(self._home, NAME)

    def _report(self, phase: str, *, detail: str = "", culprit: str = "") -> None:
        self._home.write(
            "state",
            {
                "phase": phase,
                "detail": detail,
                "culprit": culprit,
                "http_port": self._system.addresses.http_port,
                "ports": dict(self._system.addresses.ports),
            },
        )


def stop_child(process: subprocess.Popen[bytes], record: ProcessRecord, service: Service) -> None:
    """Ask a server to end, reap it, and kill what is left of it after its grace."""
    if process.poll() is None:
        process.send_signal(service.stop_signal)
        try:
            process.wait(service.grace.total_seconds())
        except subprocess.TimeoutExpired:
            logger.warning("server killed", extra={"server": service.name})
            process.kill()
            process.wait()
    processes.kill_members(record)
