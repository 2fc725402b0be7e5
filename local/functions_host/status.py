"""What a worker tells the supervisor, as lines of JSON through a pipe.

The supervisor keeps the time of each invocation itself: a worker that hangs in native code, or
whose event loop is blocked, could not end itself.
"""

import contextlib
import json
import os
import threading
from dataclasses import dataclass
from typing import Any, Literal

Event = Literal["ready", "problems", "started", "ended"]


@dataclass(frozen=True)
class Status:
    """One message.

    Args:
        lines: Functions that are served, or problems.
    """

    event: Event
    invocation_id: str = ""
    function: str = ""
    lines: tuple[str, ...] = ()


class StatusWriter:
    """The worker's end of the pipe; may be used from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, status: Status) -> None:
        """Write one message; blocks while the pipe is full.

        Nothing happens if the supervisor is gone, for then the worker is draining.
        """
        data = json.dumps(vars(status)).encode() + b"\n"
        with self._lock, contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._descriptor, data) :]


def decode_status(line: bytes) -> Status:
    """Read one message."""
    values: dict[str, Any] = json.loads(line)
    return Status(**{**values, "lines": tuple(values["lines"])})
