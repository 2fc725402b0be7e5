"""What a function that runs in an isolated child is given."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


def _silent(fraction: float, message: str) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Child:
    """The world of an isolated function: a directory, a way to report, perhaps one address.

    An isolated function is ``(parameters: Model, child: Child) -> Model`` with pydantic models.

    Args:
        workspace: The only directory in which it may write.
        progress: Call with a fraction of 1 and a message; cheap, and rate-limited by the runner.
        read_url: The one address that it may read by range, if any.
    """

    workspace: Path
    progress: Callable[[float, str], None] = _silent
    read_url: str | None = field(default=None, repr=False)
