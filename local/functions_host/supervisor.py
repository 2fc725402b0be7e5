"""The parent process: binds the port, keeps the workers alive, ends overdue invocations."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from datetime import timedelta

from local.functions_host.host_json import load_host_config
from local.functions_host.logs import configure_logging
from local.functions_host.options import Options, worker_count
from local.functions_host.settings import SettingsProblem, load_settings
from local.functions_host.worker_process import WorkerEnded, WorkerProcess

logger = logging.getLogger(__name__)

FIRST_BACKOFF = timedelta(milliseconds=500)
LONGEST_BACKOFF = timedelta(seconds=30)
# The death of a worker that lived this long starts the backoff afresh.
HEALTHY_LIFE = timedelta(seconds=30)


class CannotStart(Exception):
    """The app cannot be served; the message holds every reason."""


def serve(options: Options) -> int:
    """Run the host until SIGTERM or SIGINT and return the exit status."""
    configure_logging()
    try:
        settings = load_settings(options.app, os.environ)
        asyncio.run(Supervisor(options, settings).run())
    except (CannotStart, SettingsProblem) as error:
        sys.stderr.write(f"The app cannot be served:\n{error}\n")
        return 1
    return 0


class Supervisor:
    """Runs the workers of one app.

    Args:
        settings: Environment of the workers.
    """

    def __init__(self, options: Options, settings: Mapping[str, str]) -> None:
        self._options = options
        self._settings = settings
        self._stopping = asyncio.Event()
        self._workers: set[WorkerProcess] = set()

    async def run(self) -> None:
        """Serve until a signal comes.

        Raises:
            CannotStart: The port is taken, or the first worker found the app wanting.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        try:
            count = worker_count(self._options, self._settings)
        except ValueError as error:
            raise CannotStart(f"- {error}") from error
        with _bind(self._options) as listener:
            first = await self._start_first(listener)
            if first is None:
                return
            self._announce(listener, first.functions)
            keepers = [asyncio.create_task(self._keep(0, listener, first))]
            keepers += [asyncio.create_task(self._keep(n, listener, None)) for n in range(1, count)]
            await self._stopping.wait()
        # The listener is closed here and, on SIGTERM, in each worker, so that clients are refused.
        await self._end(keepers)

    def _worker(self, number: int, listener: socket.socket) -> WorkerProcess:
        timeout = load_host_config(self._options.app).function_timeout
        return WorkerProcess(number, self._options, self._settings, listener.fileno(), timeout)

    async def _start_first(self, listener: socket.socket) -> WorkerProcess | None:
        worker = self._worker(0, listener)
        await worker.start()
        self._workers.add(worker)
        stopped = asyncio.create_task(self._stopping.wait())
        ready = asyncio.create_task(worker.wait_ready())
        await asyncio.wait({stopped, ready}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not ready.done():
            ready.cancel()
            await worker.terminate(self._options.grace)
            return None
        try:
            ready.result()
        except WorkerEnded as error:
            raise CannotStart(str(error)) from error
        return worker

    def _announce(self, listener: socket.socket, functions: tuple[str, ...]) -> None:
        host, port = listener.getsockname()[:2]
        url = f"http://{host}:{port}"
        lines = [f"  {line.replace('{url}', url, 1)}" for line in functions]
        sys.stdout.write("\n".join(["Functions:", *lines, f"Listening on {url}", ""]))
        sys.stdout.flush()

    async def _keep(self, number: int, listener: socket.socket, worker: WorkerProcess | None) -> None:
        """Run one worker after another in one place."""
        backoff = FIRST_BACKOFF
        while not self._stopping.is_set():
            if worker is None:
                worker = self._worker(number, listener)
                await worker.start()
                self._workers.add(worker)
            if self._stopping.is_set():
                # It was started while the others were already told to stop.
                await worker.terminate(self._options.grace)
            lived = await worker.wait_ended()
            self._workers.discard(worker)
            worker = None
            backoff = FIRST_BACKOFF if lived > HEALTHY_LIFE else backoff
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff.total_seconds())
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    async def _end(self, keepers: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*(worker.terminate(self._options.grace) for worker in set(self._workers)))
        await asyncio.gather(*keepers)


def _bind(options: Options) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except OSError as error:
        listener.close()
        raise CannotStart(f"- {options.host}:{options.port}: {error.strerror}") from error
    listener.setblocking(False)
    return listener
