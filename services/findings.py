"""What a look at a file brings up; collects everything that is wrong before refusing it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from core.errors import ErrorCode, TaskFailed

Severity = Literal["info", "warning", "error"]


class Finding(BaseModel):
    """One thing that a look at a file brought up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity
    code: str
    message: str
    remedy: str


def finding(severity: Severity, code: ErrorCode, message: str) -> Finding:
    """Make a finding of a documented code."""
    return Finding(severity=severity, code=code.code, message=message, remedy=code.remedy)


class Findings:
    """A list of findings that remembers the kind of its first error."""

    def __init__(self) -> None:
        self.items: list[Finding] = []
        self._first_error: tuple[ErrorCode, str] | None = None

    def add(self, severity: Severity, code: ErrorCode, message: str) -> None:
        """Add one; the first of severity ``error`` gives the task's error its code."""
        self.items.append(finding(severity, code, message))
        if severity == "error" and self._first_error is None:
            self._first_error = (code, message)

    def raise_errors(self) -> None:
        """Refuse the file if anything was an error, telling all findings at once.

        Raises:
            TaskFailed: With the first error's code, and ``findings`` in its details.
        """
        if self._first_error is not None:
            code, message = self._first_error
            raise TaskFailed(code, message, findings=[item.model_dump() for item in self.items])
