"""One isolated call as the runner sees it: three channels, a clock and a memory limit."""

import contextlib
import logging
import os
import selectors
import signal
import socket
import threading
import time
from typing import Self

import psutil

from core import codes
from core.errors import DeadlineExceeded, NativeCrash, OutOfMemory, Stopped, TerraneError
from core.json import JsonObject
from core.ports.isolation import ChildProgress, IsolatedCall, Watch
from infrastructure.isolation.errors import decode
from infrastructure.isolation.fork_server import ForkServerProcess
from infrastructure.isolation.frames import FrameBuffer, FrameError, send_frame
from infrastructure.isolation.output import OutputLog

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.1
_WATCH_SECONDS = 0.4
_START_SECONDS = 120.0
# A child that has answered has nothing left to do; one that was killed only needs reaping.
_END_SECONDS = 10.0
_CHUNK_NBYTES = 65536
_MOST_ROUNDS = 200
_MIB = 1024 * 1024


class Conversation:
    """The runner's side of a call.

    Args:
        call: What is asked.
        watch: Called as `core.ports.isolation.IsolatedRunner.run` promises.
        closed: Set when the runner is closed.
    """

    def __init__(self, call: IsolatedCall, watch: Watch, closed: threading.Event) -> None:
        self._call = call
        self._watch = watch
        self._closed = closed
        self._channel, self._child_channel = socket.socketpair()
        self._status, self._server_status = socket.socketpair()
        output, self._child_output = os.pipe()
        self._output = OutputLog(output, call.kind, secret=call.read_url)
        self._frames = FrameBuffer()
        self._status_frames = FrameBuffer()
        self._selector = selectors.DefaultSelector()
        self._process: psutil.Process | None = None
        self._answer: JsonObject | TerraneError | None = None
        self._exit: int | None = None
        self._is_over = False
        self._until = time.monotonic() + _START_SECONDS
        self._next_watch = time.monotonic()

    def __enter__(self) -> Self:
        """Register what is listened to."""
        for source, handle in (
            (self._status, self._read_status),
            (self._channel, self._read_channel),
            (self._output, self._read_output),
        ):
            self._selector.register(source, selectors.EVENT_READ, handle)
        return self

    def __exit__(self, *_: object) -> None:
        """Kill and reap what still runs, and close every channel."""
        try:
            if not self._is_over and self._child_output < 0:
                self._kill()
        finally:
            self._release()
            self._selector.close()
            self._channel.close()
            self._status.close()
            self._output.close()

    def begin(self, server: ForkServerProcess) -> None:
        """Ask `server` for the child.

        Raises:
            OSError: The server is gone; another one can be asked.
        """
        server.submit((self._child_channel.fileno(), self._child_output, self._server_status.fileno()))
        self._release()

    def follow(self) -> JsonObject:
        """Watch the child to its end and return its result.

        Raises:
            TerraneError: As `core.ports.isolation.IsolatedRunner.run` lists.
        """
        while not self._is_over:
            self._listen(_TICK_SECONDS)
            self._inspect()
        # What it sent just before its end may still lie in the channels, which hold little.
        for _ in range(_MOST_ROUNDS):
            if not self._listen(0):
                break
        return self._verdict()

    def _listen(self, seconds: float) -> bool:
        events = self._selector.select(seconds)
        for key, _ in events:
            key.data()
        return bool(events)

    def _inspect(self) -> None:
        now = time.monotonic()
        if self._closed.is_set():
            raise Stopped("drain")
        if now >= self._next_watch:
            self._next_watch = now + _WATCH_SECONDS
            self._watch(None)
        if self._is_over:
            return
        if now >= self._until:
            self._give_up()
        if self._answer is None:
            self._check_memory()

    def _give_up(self) -> None:
        target = self._call.target
        if self._process is None:
            raise NativeCrash(codes.TASK_CRASHED, f"no child was forked for {target} in {_START_SECONDS:g} s")
        if self._answer is None:
            seconds = self._call.deadline.total_seconds()
            raise DeadlineExceeded(codes.NATIVE_DEADLINE, f"{target} took longer than {seconds:g} s")
        logger.warning("child outlived its answer", extra={"target": target})
        self._kill()

    def _check_memory(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            used = self._process.memory_info().rss // _MIB
            if used > self._call.memory_mib:
                raise OutOfMemory(
                    codes.NATIVE_OUT_OF_MEMORY,
                    f"{self._call.target} used {used} MiB and may use {self._call.memory_mib} MiB",
                )

    def _read_status(self) -> None:
        chunk = _read(self._status)
        for message in self._status_frames.feed(chunk):
            if "pid" in message:
                self._ask(message["pid"])
            else:
                self._exit = message["exit"]
        if not chunk:
            self._selector.unregister(self._status)
            self._is_over = True
            if self._exit is None:
                self._kill_orphan()

    def _ask(self, pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process = psutil.Process(pid)
        self._until = time.monotonic() + self._call.deadline.total_seconds()
        request = {
            "target": self._call.target,
            "parameters": self._call.parameters,
            "workspace": str(self._call.workspace.absolute()),
            "read_url": self._call.read_url,
        }
        # If the child is dead already, its exit says so.
        with contextlib.suppress(OSError):
            send_frame(self._channel, request)

    def _read_channel(self) -> None:
        chunk = _read(self._channel)
        if not chunk:
            self._selector.unregister(self._channel)
            return
        for progress in self._understand(chunk):
            self._watch(progress)

    def _understand(self, chunk: bytes) -> list[ChildProgress]:
        """Return the progress in what the child sent, and keep its answer."""
        try:
            heard = [self._hear(message) for message in self._frames.feed(chunk)]
        except (FrameError, KeyError, TypeError, ValueError) as error:
            # A file may have taken the child over.
            raise NativeCrash(
                codes.NATIVE_CRASH, f"{self._call.target} answers what makes no sense"
            ) from error
        return [each for each in heard if each is not None]

    def _hear(self, message: JsonObject) -> ChildProgress | None:
        if "progress" in message:
            return ChildProgress(float(message["progress"]), self._redact(message["message"]))
        if "error" in message:
            self._answer = decode(message["error"])
        else:
            self._answer = dict(message["result"])
        self._until = time.monotonic() + _END_SECONDS
        return None

    def _read_output(self) -> None:
        if not self._output.forward(_CHUNK_NBYTES):
            self._selector.unregister(self._output)

    def _verdict(self) -> JsonObject:
        if self._answer is None:
            raise self._death()
        if isinstance(self._answer, TerraneError):
            self._answer.message = self._redact(self._answer.message)
            self._answer.args = (self._answer.message,)
            raise self._answer
        return self._answer

    def _death(self) -> NativeCrash | OutOfMemory | Stopped:
        target = self._call.target
        if self._exit is None:
            if self._closed.is_set():
                return Stopped("drain")
            return NativeCrash(codes.TASK_CRASHED, f"the fork server ended while {target} was to run")
        if self._exit == -signal.SIGKILL:
            return OutOfMemory(codes.NATIVE_OUT_OF_MEMORY, f"the system killed {target}, probably for memory")
        if self._exit < 0:
            name = signal.Signals(-self._exit).name
            return NativeCrash(codes.NATIVE_CRASH, f"{target} ended by {name}", signal=name)
        return NativeCrash(codes.NATIVE_CRASH, f"{target} ended with exit code {self._exit} and no answer")

    def _redact(self, text: str) -> str:
        return self._output.redact(str(text))

    def _kill(self) -> None:
        """Have the server kill and reap the child, which it alone can do without a race."""
        with contextlib.suppress(OSError):
            self._status.shutdown(socket.SHUT_WR)
        self._status.settimeout(_END_SECONDS)
        try:
            while _read(self._status):
                pass
        except TimeoutError:
            logger.exception("child not reaped", extra={"target": self._call.target})
        self._is_over = True

    def _kill_orphan(self) -> None:
        """Kill a child whose fork server died, unless its process id is another's by now."""
        if self._process and self._process.is_running():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _release(self) -> None:
        """Close the ends that are the child's and the server's."""
        if self._child_output >= 0:
            os.close(self._child_output)
            self._child_output = -1
        self._child_channel.close()
        self._server_status.close()


def _read(source: socket.socket) -> bytes:
    try:
        return source.recv(_CHUNK_NBYTES)
    except ConnectionError:
        return b""
