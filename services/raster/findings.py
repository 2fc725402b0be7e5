"""Collect everything that is wrong with a raster before refusing it; imports no GDAL."""

from core.errors import ErrorCode, TaskFailed
from services.raster.models import Finding, Severity, finding


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
        """Refuse the raster if anything was an error, telling all findings at once.

        Raises:
            TaskFailed: With the first error's code, and ``findings`` in its details.
        """
        if self._first_error is not None:
            code, message = self._first_error
            raise TaskFailed(code, message, findings=[item.model_dump() for item in self.items])
