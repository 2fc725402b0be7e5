"""A worker process: imports the app in its main thread and runs its functions until SIGTERM.

An app's own SIGTERM handler, if importing it installed one with `signal.signal`, is called first
when SIGTERM comes; then the worker takes no more work and gives what runs its grace.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import azure.functions as func

from local.functions_host.bindings import BindingContext
from local.functions_host.host_json import load_host_config
from local.functions_host.http_server import HttpOptions, HttpServer
from local.functions_host.indexing import AppIndex, index_app
from local.functions_host.invocation import Invoker
from local.functions_host.keys import AccessKeys, load_keys
from local.functions_host.logs import configure_logging
from local.functions_host.model import QueueTrigger, TimerTrigger
from local.functions_host.options import add_common_arguments, default_state
from local.functions_host.queue_listener import QueueListener
from local.functions_host.status import Status, StatusWriter
from local.functions_host.timers import Timer

logger = logging.getLogger(__name__)

EXIT_PROBLEMS = 3
EXIT_OVERDUE = 4

DEFAULT_BODY_LIMIT = 104_857_600


@dataclass(frozen=True)
class WorkerOptions:
    """What the supervisor hands to a worker.

    Args:
        listener: File descriptor of the shared socket.
        status: File descriptor of the pipe to the supervisor.
        lifeline: File descriptor of a pipe that ends when the supervisor dies.
        runs_timers: Whether this is the one worker that does.
    """

    app: Path
    grace: float
    state: Path
    keys: Path | None
    listener: int
    status: int
    lifeline: int
    runs_timers: bool


def main() -> None:
    """Import the app, report to the supervisor, serve, drain."""
    options = _parse_arguments()
    for descriptor in (options.listener, options.status, options.lifeline):
        # Children of the app must not keep the port or the pipes open.
        os.set_inheritable(descriptor, False)
    configure_logging()
    if sys.path[0] == str(Path.cwd()):
        # Where the host was started from is nothing that an app may import from.
        del sys.path[0]
    os.chdir(options.app)
    status = StatusWriter(options.status)
    context = BindingContext(load_host_config(options.app), os.environ)
    index = index_app(options.app, context)
    keys = _load_keys(options, index.problems)
    body_limit = _body_limit(index.problems)
    if index.problems:
        status.send(Status("problems", lines=tuple(index.problems)))
        sys.exit(EXIT_PROBLEMS)
    worker = Worker(options, context, index, HttpOptions(keys, body_limit))
    if not asyncio.run(worker.run(status)):
        # Threads that still run would keep the interpreter from ending.
        logging.shutdown()
        os._exit(EXIT_OVERDUE)


def _parse_arguments() -> WorkerOptions:
    parser = argparse.ArgumentParser()
    add_common_arguments(parser)
    for name in ("--listener", "--status", "--lifeline"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--timers", action="store_true")
    values = parser.parse_args()
    return WorkerOptions(
        app=values.app,
        grace=values.grace,
        state=values.state or default_state(values.app),
        keys=values.require_keys,
        listener=values.listener,
        status=values.status,
        lifeline=values.lifeline,
        runs_timers=values.timers,
    )


def _load_keys(options: WorkerOptions, problems: list[str]) -> AccessKeys | None:
    if options.keys is None:
        return None
    try:
        return load_keys(options.keys)
    except ValueError as error:
        problems.append(str(error))
        return None


def _body_limit(problems: list[str]) -> int:
    text = os.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", str(DEFAULT_BODY_LIMIT))
    if text.isdecimal():
        return int(text)
    problems.append(f"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT is {text!r}; expected a number of bytes")
    return DEFAULT_BODY_LIMIT


def pool_size() -> int | None:
    """Return PYTHON_THREADPOOL_THREAD_COUNT if it is usable, else None for Python's own default.

    Source:
        The real worker: 1 to 1000, otherwise as `ThreadPoolExecutor` decides.
    """
    text = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
    return int(text) if text.isdecimal() and 1 <= int(text) <= 1000 else None


class Worker:
    """Everything that serves the app in this process."""

    def __init__(
        self, options: WorkerOptions, context: BindingContext, index: AppIndex, http: HttpOptions
    ) -> None:
        self._options = options
        self._context = context
        self._index = index
        self._http = http
        self._stopping: asyncio.Event

    async def run(self, status: StatusWriter) -> bool:
        """Serve until SIGTERM; return whether everything ended within the grace."""
        self._stopping = asyncio.Event()
        self._listen_for_end()
        functions = self._index.functions
        pool = ThreadPoolExecutor(pool_size(), thread_name_prefix="function")
        invoker = Invoker(pool, status, str(self._options.app))
        http = HttpServer(functions, invoker, self._http)
        background = self._background(invoker)
        await http.start(socket.socket(fileno=self._options.listener))
        for one in background:
            one.start()
        status.send(Status("ready", lines=tuple(function.describe("{url}") for function in functions)))
        await self._stopping.wait()
        return await self._drain(http, background, invoker)

    def _background(self, invoker: Invoker) -> list[QueueListener | Timer]:
        background: list[QueueListener | Timer] = []
        for function in self._index.functions:
            if isinstance(function.trigger, QueueTrigger):
                background.append(QueueListener(function, self._context.config.service_bus, invoker))
            elif isinstance(function.trigger, TimerTrigger) and self._options.runs_timers:
                background.append(Timer(function, self._options.state / "timers", invoker))
        return background

    async def _drain(
        self, http: HttpServer, background: list[QueueListener | Timer], invoker: Invoker
    ) -> bool:
        logger.info("worker draining", extra={"running": len(invoker.running)})
        await http.stop_accepting()
        for one in background:
            one.stop()
        ended = [invoker.wait_idle(), *(one.wait_closed() for one in background)]
        try:
            await asyncio.wait_for(asyncio.gather(*ended), self._options.grace)
        except TimeoutError:
            logger.warning("grace over", extra={"running": sorted(invoker.running.values())})
            return False
        await http.close()
        await self._end_lifespan()
        return True

    async def _end_lifespan(self) -> None:
        app = self._index.app
        if isinstance(app, func.AsgiFunctionApp) and app.startup_task_done:
            await asyncio.wait_for(app.middleware.notify_shutdown(), self._options.grace)
            # Else the library would do it again, on a loop of its own, and wait for ever.
            app.startup_task_done = False

    def _listen_for_end(self) -> None:
        loop = asyncio.get_running_loop()
        apps_handler = signal.getsignal(signal.SIGTERM)

        def on_sigterm(number: int, frame: FrameType | None) -> None:
            if not self._stopping.is_set():
                loop.call_soon_threadsafe(self._stopping.set)
                _chain(apps_handler, number, frame)

        signal.signal(signal.SIGTERM, on_sigterm)
        loop.add_reader(self._options.lifeline, self._supervisor_died)

    def _supervisor_died(self) -> None:
        asyncio.get_running_loop().remove_reader(self._options.lifeline)
        logger.warning("supervisor gone")
        os.kill(os.getpid(), signal.SIGTERM)


Handler = Callable[[int, FrameType | None], Any] | int | None


def _chain(handler: Handler, number: int, frame: FrameType | None) -> None:
    if not callable(handler):
        return
    try:
        handler(number, frame)
    except Exception:
        logger.exception("SIGTERM handler of the app failed")


if __name__ == "__main__":
    main()
