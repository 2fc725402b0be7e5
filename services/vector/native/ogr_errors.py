"""What OGR raises and warns of, in our words."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pyarrow as pa
from pyogrio.errors import DataLayerError, DataSourceError

from core.errors import TaskFailed
from services.findings import Findings
from services.vector.codes import CRS_UNKNOWN, READER_WARNING, TRUNCATED, UNREADABLE
from services.vector.datasets import Dataset

_TRUNCATED: Final = ("unterminated", "unexpected end", "unexpected eof", "truncated", "no element found")
_MOST_WARNINGS: Final = 10
# An IndexError is pyogrio's answer to a file without layers.
_RAISED: Final = (
    DataSourceError,
    DataLayerError,
    OSError,
    pa.ArrowException,
    RuntimeError,
    UnicodeDecodeError,
)
# Said of every file with several layers or unusual names, and of no use to who sent it.
_CHATTER: Final = ("More than one layer found", "successfully parsed")


class OgrReports:
    """Turns errors of OGR into refusals and its warnings into findings, each once.

    Args:
        dataset: Whose directories no message may name.
        findings: Gets the warnings.
    """

    def __init__(self, dataset: Dataset, findings: Findings) -> None:
        self._dataset = dataset
        self._findings = findings
        self._warned: set[str] = set()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Run calls of OGR.

        Raises:
            TaskFailed: ``vector.truncated``, ``vector.unreadable``.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                yield
            except _RAISED as error:
                raise self._unreadable(error) from error
            except UnboundLocalError as error:
                # What pyogrio trips over when OGR cannot write the CRS out.
                name = self._dataset.path.name
                message = f"{name}: its coordinate reference system cannot be read"
                raise TaskFailed(CRS_UNKNOWN, message, file=name) from error
        for each in caught:
            self._note(self._cleaned(str(each.message)))

    def _note(self, warning: str) -> None:
        is_new = warning not in self._warned and len(self._warned) < _MOST_WARNINGS
        if is_new and not any(mark in warning for mark in _CHATTER):
            self._warned.add(warning)
            self._findings.add("warning", READER_WARNING, warning)

    def _unreadable(self, error: Exception) -> TaskFailed:
        name, reason = self._dataset.path.name, self._cleaned(str(error))
        is_cut = any(mark in reason.lower() for mark in _TRUNCATED)
        code = TRUNCATED if is_cut else UNREADABLE
        return TaskFailed(code, f"{name}: {reason}", file=name, driver=self._dataset.driver)

    def _cleaned(self, message: str) -> str:
        """Return a message without the names of our directories and without pyogrio's advice."""
        text = message.split("; It might help", maxsplit=1)[0].replace(f"{self._dataset.path.parent}/", "")
        return " ".join(text.split())[:300]
