"""The port to isolated children, in which native code opens files that strangers made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal, Protocol

from core.json import JsonObject

IsolationKind = Literal["raster", "vector"]


@dataclass(frozen=True)
class IsolatedCall:
    """A function to run in a child.

    Args:
        kind: The family of native libraries; each has its own fork server.
        target: ``package.module:function``, a name, never code.
        parameters: JSON that the function's parameter model accepts.
        workspace: The task's directory: the child's working directory, and the only one in
            which it may leave files.
        deadline: The child is killed when it takes longer.
        memory_mib: The child is killed when its resident memory grows beyond this.
        read_url: The one short-lived read-only address that the child may read by range, if any.
    """

    kind: IsolationKind
    target: str
    parameters: JsonObject
    workspace: Path
    deadline: timedelta = timedelta(minutes=30)
    memory_mib: int = 1024
    read_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ChildProgress:
    """How far a child says it is."""

    fraction: float
    message: str = ""


Watch = Callable[[ChildProgress | None], None]


class IsolatedRunner(Protocol):
    """Runs functions in children without credentials and connections."""

    def run(self, call: IsolatedCall, watch: Watch) -> JsonObject:
        """Run `call` in a fresh child and return the function's result as JSON.

        `watch` is called with each progress report, and with None at least twice a second;
        what it raises kills the child and is raised from here.

        Raises:
            TaskFailed: The function raised it (or InvalidInput); code, message and details as
                there.
            NativeCrash: The child died by a signal, or ended without an answer.
            OutOfMemory: The child grew beyond `memory_mib`, or the system killed it for memory.
            DeadlineExceeded: The child took longer than `deadline`.
        """
        ...

    def close(self) -> None:
        """Kill and reap every child and fork server."""
        ...
