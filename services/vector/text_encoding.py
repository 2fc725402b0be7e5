"""Tell the encoding of text that does not name it."""

import codecs
from pathlib import Path
from typing import Final

from core.errors import TaskFailed
from services.findings import Findings
from services.vector.codes import ENCODING_ASSUMED, ENCODING_UNKNOWN

_BLOCK_NBYTES: Final = 4 * 1024 * 1024
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN: Final = "cp1252"


def encoding_of(path: Path, given: str | None, findings: Findings) -> str:
    """Return the name of a file's encoding: what is given, what its mark says, UTF-8, or cp1252.

    The whole file is looked at: a name with an umlaut may stand in its last row.

    Raises:
        TaskFailed: ``vector.encoding_unknown``: there is no such encoding, or the file is not in it.
    """
    if given is not None:
        return _checked(path, given)
    with path.open("rb") as file:
        head = file.read(4)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if decodes(path, "utf-8"):
        return "utf-8"
    findings.add("warning", ENCODING_ASSUMED, f"the text is no UTF-8; it is taken as {_WESTERN}")
    return _WESTERN


def decodes(path: Path, encoding: str) -> bool:
    """Tell whether every byte of a file is text in an encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK_NBYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _checked(path: Path, given: str) -> str:
    try:
        name = codecs.lookup(given).name
    except LookupError as error:
        raise TaskFailed(ENCODING_UNKNOWN, f"there is no encoding {given[:60]!r}") from error
    if not decodes(path, name):
        raise TaskFailed(ENCODING_UNKNOWN, f"{path.name} is not {given}", file=path.name, encoding=given)
    return "utf-8-sig" if name == "utf-8" else name
