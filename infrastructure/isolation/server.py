"""The fork server: imports a kind's libraries once and forks a warm child for each call.

Started by exec, so that it has one thread, no connections and no credentials to inherit. It
reads nothing that a user wrote. On its control socket come single bytes with three descriptors
each: the call's channel and output for the child, and a status socket for the server itself,
on which it reports the child's process id and exit. When the runner closes its end of the
status socket the child is killed; when the control socket closes, everything ends.
"""

import argparse
import contextlib
import gc
import importlib
import logging
import os
import selectors
import signal
import socket
import sys

from infrastructure.isolation import drivers
from infrastructure.isolation.child import serve_call
from infrastructure.isolation.frames import send_frame

logger = logging.getLogger(__name__)

_DESCRIPTORS = 3


class ForkServer:
    """Forks children and waits for them.

    Args:
        control: Connected to the runner.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._status: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._signals = socket.socketpair()

    def serve(self) -> None:
        """Serve calls until the control socket closes."""
        self._wakeup.setblocking(False)
        self._signals.setblocking(False)
        signal.set_wakeup_fd(self._signals.fileno(), warn_on_full_buffer=False)
        # A handler must be there for the wakeup; the runner decides when this process ends.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        while self._turn():
            pass
        for pid in list(self._status):
            _kill(pid)
            os.waitpid(pid, 0)

    def _turn(self) -> bool:
        """Handle what has come; return whether to go on."""
        for key, _ in self._selector.select():
            if key.fileobj is self._control:
                if not self._accept():
                    return False
            elif key.fileobj is self._wakeup:
                self._wakeup.recv(4096)
                self._reap()
            else:
                # Nothing is ever sent here: the runner has given the call up.
                self._selector.unregister(key.fileobj)
                _kill(key.data)
        return True

    def _accept(self) -> bool:
        try:
            call, descriptors, _, _ = socket.recv_fds(self._control, 1, _DESCRIPTORS)
        except ConnectionError:
            return False
        if not call:
            return False
        if len(descriptors) != _DESCRIPTORS:
            # The limit of open files was reached; the runner sees its sockets close.
            for descriptor in descriptors:
                os.close(descriptor)
            return True
        channel, output, status = descriptors
        self._fork(socket.socket(fileno=channel), output, socket.socket(fileno=status))
        return True

    def _fork(self, channel: socket.socket, output: int, status: socket.socket) -> None:
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            logger.exception("fork refused")
            pid = -1
        if pid == 0:
            self._leave(status)
            serve_call(channel, output, server)
        channel.close()
        os.close(output)
        if pid < 0:
            status.close()
            return
        self._status[pid] = status
        self._selector.register(status, selectors.EVENT_READ, pid)
        _tell(status, "pid", pid)

    def _leave(self, status: socket.socket) -> None:
        """Close in a child what is the server's: it must not keep other calls' sockets open."""
        self._selector.close()
        for each in (self._control, self._wakeup, self._signals, status, *self._status.values()):
            each.close()

    def _reap(self) -> None:
        for pid in list(self._status):
            ended, wait_status = os.waitpid(pid, os.WNOHANG)
            if ended:
                # What the child started is in its group and goes with it.
                _kill_group(pid)
                self._end(pid, os.waitstatus_to_exitcode(wait_status))

    def _end(self, pid: int, exit_code: int) -> None:
        status = self._status.pop(pid)
        with contextlib.suppress(KeyError):
            self._selector.unregister(status)
        _tell(status, "exit", exit_code)
        status.close()


def _tell(status: socket.socket, name: str, value: int) -> None:
    with contextlib.suppress(OSError):
        send_frame(status, {name: value})


def _kill(pid: int) -> None:
    # The group exists only once the child has made it, which a kill may come before.
    os.kill(pid, signal.SIGKILL)
    _kill_group(pid)


def _kill_group(pid: int) -> None:
    # macOS refuses a group in which only a zombie is left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Load the libraries of a kind without the drivers that it must not have, then serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=sorted(drivers.ALLOWED), required=True)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--preload", action="append", default=[])
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    drivers.restrict(options.kind)
    for module in options.preload:
        importlib.import_module(module)
    drivers.check(options.kind)
    # Objects that are never looked at again stay in pages shared with the children.
    gc.collect()
    gc.freeze()
    ForkServer(socket.socket(fileno=options.control)).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
