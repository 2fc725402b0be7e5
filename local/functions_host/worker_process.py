"""One worker as the supervisor sees it: its process, its messages, its invocations."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta

from local.functions_host.options import Options
from local.functions_host.status import Status, decode_status
from local.functions_host.timespan import format_timespan

logger = logging.getLogger(__name__)

# What a worker may need beyond its grace to close connections and run its exit handlers.
EXIT_ALLOWANCE = timedelta(seconds=5)

# Bytes; a status may list many functions, or problems with their tracebacks.
LONGEST_STATUS = 1 << 24


class WorkerEnded(Exception):
    """A worker ended before it was ready; the message says why."""


class WorkerProcess:
    """Starts a worker by exec, never by fork, so that it inherits nothing but what is named here.

    Args:
        number: Place of the worker; the one in place 0 runs the timers.
        listener: File descriptor of the shared socket.
        timeout: Longest run of one invocation; None for no limit.
    """

    def __init__(
        self,
        number: int,
        options: Options,
        settings: Mapping[str, str],
        listener: int,
        timeout: timedelta | None,
    ) -> None:
        self._number = number
        self._options = options
        self._settings = settings
        self._listener = listener
        self._timeout = timeout
        self._ready: asyncio.Future[tuple[str, ...]] = asyncio.get_running_loop().create_future()
        self._overdue: dict[str, asyncio.TimerHandle] = {}
        self._started_at = time.monotonic()
        self._process: asyncio.subprocess.Process
        self._lifeline: int
        self._reader: asyncio.Task[None]
        self.functions: tuple[str, ...] = ()

    async def start(self) -> None:
        """Start the process."""
        status_read, status_write = os.pipe()
        lifeline_read, self._lifeline = os.pipe()
        passed = (self._listener, status_write, lifeline_read)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(status_write, lifeline_read),
                pass_fds=passed,
                env=dict(self._settings),
                stdin=subprocess.DEVNULL,
                # Ctrl-C in a terminal is for the supervisor, which lets the workers drain.
                process_group=0,
            )
        finally:
            os.close(status_write)
            os.close(lifeline_read)
        logger.info("worker started", extra={"worker": self._number, "pid": self._process.pid})
        self._reader = asyncio.create_task(self._read(status_read))

    def _command(self, status: int, lifeline: int) -> list[str]:
        options = self._options
        command = [sys.executable, "-m", "local.functions_host.worker", "--app", str(options.app)]
        command += ["--grace", str(options.grace.total_seconds()), "--state", str(options.state)]
        command += ["--listener", str(self._listener), "--status", str(status), "--lifeline", str(lifeline)]
        command += ["--require-keys", str(options.keys)] if options.keys else []
        return command + (["--timers"] if self._number == 0 else [])

    async def wait_ready(self) -> None:
        """Return when the worker serves.

        Raises:
            WorkerEnded: It found problems, or died.
        """
        self.functions = await self._ready

    async def wait_ended(self) -> timedelta:
        """Return when the process is gone, with the time that it lived."""
        await self._reader
        code = await self._process.wait()
        os.close(self._lifeline)
        lived = timedelta(seconds=time.monotonic() - self._started_at)
        logger.warning(
            "worker ended", extra={"worker": self._number, "pid": self._process.pid, "status": code}
        )
        return lived

    async def terminate(self, grace: timedelta) -> None:
        """Ask the worker to drain; kill it if that takes too long."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), (grace + EXIT_ALLOWANCE).total_seconds())
        except TimeoutError:
            logger.warning("worker killed", extra={"worker": self._number, "pid": self._process.pid})
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def _read(self, descriptor: int) -> None:
        """Follow the worker's messages until its end of the pipe closes."""
        reader = asyncio.StreamReader(limit=LONGEST_STATUS)
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            while line := await reader.readline():
                self._handle(decode_status(line))
        finally:
            transport.close()
            self._forget()

    def _handle(self, status: Status) -> None:
        if status.event == "ready":
            self._ready.set_result(status.lines)
        elif status.event == "problems":
            self._report("\n".join(f"- {line}" for line in status.lines))
        elif status.event == "started" and self._timeout is not None:
            loop = asyncio.get_running_loop()
            handle = loop.call_later(self._timeout.total_seconds(), self._timed_out, status)
            self._overdue[status.invocation_id] = handle
        elif status.event == "ended" and status.invocation_id in self._overdue:
            self._overdue.pop(status.invocation_id).cancel()

    def _timed_out(self, status: Status) -> None:
        limit = format_timespan(self._timeout or timedelta(0))
        details = {"function": status.function, "invocation_id": status.invocation_id, "limit": limit}
        logger.error("function timeout exceeded", extra=details)
        self._signal(signal.SIGKILL)

    def _report(self, text: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(WorkerEnded(text))
            # It may come after the supervisor has stopped waiting.
            self._ready.exception()
        else:
            logger.error("worker problems", extra={"worker": self._number, "problems": text})

    def _forget(self) -> None:
        for handle in self._overdue.values():
            handle.cancel()
        self._overdue.clear()
        if not self._ready.done():
            self._report("- the worker ended before it was ready; see its output above")
