"""What a forked child does: one call, one answer, and no return."""

import contextlib
import ctypes
import logging
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import NoReturn

from core.errors import TerraneError
from core.isolation import Child
from core.json import JsonObject
from infrastructure.isolation.environment import enter_workspace
from infrastructure.isolation.errors import encode, translate
from infrastructure.isolation.frames import receive_frame, send_frame
from infrastructure.isolation.invocation import RateLimited, invoke

logger = logging.getLogger(__name__)

_UNEXPECTED_EXIT = 70
_OPEN_FILES = 1024
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def serve_call(channel: socket.socket, output: int, server: int) -> NoReturn:
    """Read a call from `channel`, answer it, and end this process.

    Args:
        channel: Connected to the runner; when its other end closes, this process is killed.
        output: Descriptor that becomes standard output and standard error.
        server: Process id of the fork server, whose death is this process's too.
    """
    status = _UNEXPECTED_EXIT
    try:
        _redirect(output)
        _become_leader(server)
        _limit()
        answer(channel)
        status = 0
    except BaseException:
        # Nothing may return into the server's loop.
        logger.exception("child ended without an answer")
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Skips the exit handlers, which belong to the server.
        os._exit(status)


def answer(channel: socket.socket) -> None:
    """Run the call that comes first on `channel` and send its result or its error."""
    request = receive_frame(channel)
    threading.Thread(target=_die_with, args=(channel,), daemon=True).start()
    read_url = request["read_url"]
    enter_workspace(request["workspace"], read_url)
    tempfile.tempdir = None
    sending = threading.Lock()

    def report(fraction: float, message: str) -> None:
        with sending:
            send_frame(channel, {"progress": fraction, "message": message})

    child = Child(Path(request["workspace"]), RateLimited(report), read_url)
    message = _outcome(request, child)
    with sending:
        send_frame(channel, message)


def _outcome(request: JsonObject, child: Child) -> JsonObject:
    try:
        return {"result": invoke(request["target"], request["parameters"], child)}
    except TerraneError as error:
        logger.info("isolated function failed", exc_info=True)
        return {"error": encode(translate(error))}
    except Exception as error:
        logger.exception("isolated function crashed")
        return {"error": encode(translate(error))}


def _redirect(output: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(output)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)


def _become_leader(server: int) -> None:
    """Lead an own process group, react to signals as programs do, and die with the server."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # When memory runs out the system is to take this process and not the worker.
        Path("/proc/self/oom_score_adj").write_text("1000")
    if os.getppid() != server:
        raise ProcessLookupError("the fork server is gone")


def _limit() -> None:
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _die_with(channel: socket.socket) -> None:
    """Wait for the other end to close, for nothing more comes from it, then end the group."""
    with contextlib.suppress(OSError):
        channel.recv(1)
    os.killpg(0, signal.SIGKILL)
