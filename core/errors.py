"""Every deliberate error: a stable code, a sentence about what happened, and what to do."""

import errno
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True)
class ErrorCode:
    """A kind of error that a user can meet, as documented in the error reference.

    Args:
        code: Stable dotted name, e.g. ``raster.crs_missing``.
        title: What is wrong, in a few words.
        remedy: What the reader can do about it.
        retryable: Whether the same request may succeed later without a change.
    """

    code: str
    title: str
    remedy: str
    retryable: bool = False


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong with a request."""

    parameter: str
    message: str
    value: Any = None


class TerraneError(Exception):
    """An error with a code; `message` says what happened to which object.

    Args:
        code: Its kind.
        message: One sentence with the values that matter, free of secrets.
        details: JSON-ready facts for machines.
    """

    def __init__(self, code: ErrorCode, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def as_json(self) -> dict[str, Any]:
        """Return the error as a task and a job record it."""
        record = {
            "code": self.code.code,
            "message": self.message,
            "remedy": self.code.remedy,
            "retryable": self.code.retryable,
        }
        return record | ({"details": self.details} if self.details else {})


class InvalidInput(TerraneError):
    """What was asked for is wrong, and stays wrong until the caller changes it."""

    def __init__(
        self, code: ErrorCode, message: str, violations: tuple[Violation, ...] = (), **details: Any
    ) -> None:
        super().__init__(code, message, **details)
        self.violations = violations


class NotFound(TerraneError):
    """The named object does not exist."""


class Conflict(TerraneError):
    """The request is right but cannot be carried out in the present state."""

    def __init__(
        self, code: ErrorCode, message: str, retry_after: timedelta | None = None, **details: Any
    ) -> None:
        super().__init__(code, message, **details)
        self.retry_after = retry_after


class TooManyRequests(TerraneError):
    """The request is right, but there is too much to do already."""

    def __init__(self, code: ErrorCode, message: str, retry_after: timedelta, **details: Any) -> None:
        super().__init__(code, message, **details)
        self.retry_after = retry_after


class TaskFailed(TerraneError):
    """A task cannot be done: bad data, or a rule that the data break. Final."""


class TransientError(TerraneError):
    """Something outside did not answer; the same call may succeed later."""


class NativeCrash(TerraneError):
    """Native code ended its process by a signal or an exit without an answer."""


class OutOfMemory(TerraneError):
    """An isolated child grew beyond its limit and was killed."""


class DeadlineExceeded(TerraneError):
    """A call did not end within its time and was killed. Final."""


def is_out_of_space(error: BaseException) -> bool:
    """Return whether the system refused to write because a disk or a quota is full.

    Other tasks of the machine fill it, too, and clear it when they end: it passes.
    """
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class IllegalTransition(TerraneError):
    """Code asked for a change of state that the tables of `core.states` do not allow: a bug."""


class Snooze(Exception):
    """Raised by a handler that is not ready: run it again after `delay`; no attempt is counted.

    Args:
        delay: How long to wait.
        message: What is waited for, shown as the task's message.
    """

    def __init__(self, delay: timedelta, message: str = "") -> None:
        super().__init__(message)
        self.delay = delay
        self.message = message


class Stopped(Exception):
    """Raised inside a handler whose job is stopping, whose lease is lost or whose process drains.

    Args:
        reason: ``stopping``, ``lost`` or ``drain``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
