"""Links of KML, which are never followed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.errors import TaskFailed
from services.findings import Findings
from services.vector.codes import EMPTY, NETWORK_LINKS

_BLOCK_NBYTES: Final = 4 * 1024 * 1024
_LINK: Final = re.compile(rb"<(?:\w+:)?NetworkLink[\s>]")
_LONGEST_MARK: Final = 64


@contextmanager
def telling_of_links(path: Path, findings: Findings) -> Iterator[None]:
    """Say that a file has links: as the reason where it has nothing else, as a finding beside it.

    Raises:
        TaskFailed: ``vector.network_links``.
    """
    links = _count_links(path)
    shown = f"{links} link{'s' if links != 1 else ''}"
    try:
        yield
    except TaskFailed as error:
        if links and error.code is EMPTY:
            message = f"{path.name} holds {shown} and no features of its own"
            raise TaskFailed(NETWORK_LINKS, message, file=path.name, links=links) from error
        raise
    if links:
        findings.add("warning", NETWORK_LINKS, f"{path.name} holds {shown}, not followed")


def _count_links(path: Path) -> int:
    count, tail = 0, b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_NBYTES):
            text = tail + block
            ends = [match.end() for match in _LINK.finditer(text)]
            count += len(ends)
            tail = text[max(len(text) - _LONGEST_MARK, ends[-1] if ends else 0) :]
    return count
