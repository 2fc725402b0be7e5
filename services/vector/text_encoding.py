"""Tell the encoding of text that does not name it."""

import codecs
import re
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
# In which every byte is some character; cp1252 leaves five out.
_ANY_BYTES: Final = "iso8859-1"
# Language drivers of dBASE. Source: the table of the Shapefile C library, for what is still met.
_LANGUAGES: Final = {
    0x01: "cp437",
    0x02: "cp850",
    0x03: "cp1252",
    0x57: "cp1252",
    0x64: "cp852",
    0x65: "cp866",
    0x66: "cp865",
    0x7D: "cp1255",
    0x7E: "cp1256",
    0xC8: "cp1250",
    0xC9: "cp1251",
    0xCA: "cp1254",
    0xCB: "cp1253",
}


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
    guess = _WESTERN if decodes(path, _WESTERN) else _ANY_BYTES
    findings.add("warning", ENCODING_ASSUMED, f"the text is no UTF-8; it is taken as {guess}")
    return guess


def encoding_of_dbf(path: Path, given: str | None, findings: Findings) -> str:
    """Return the encoding of a dBASE table: what is given, what a .cpg file or the table says, or a guess.

    Raises:
        TaskFailed: ``vector.encoding_unknown``: there is no such encoding.
    """
    if given is not None:
        return _codec(given)
    with path.open("rb") as file:
        header = file.read(32)
    start = int.from_bytes(header[8:10], "little")
    named = _from_cpg(path.with_suffix(".cpg")) or _LANGUAGES.get(header[29] if len(header) == 32 else 0)
    if named and decodes(path, named, start):
        return named
    if decodes(path, "utf-8", start):
        return "utf-8"
    said = f"not the {named} that it says" if named else "no UTF-8"
    guess = _WESTERN if decodes(path, _WESTERN, start) else _ANY_BYTES
    findings.add("warning", ENCODING_ASSUMED, f"the text is {said}; it is taken as {guess}")
    return guess


def _from_cpg(path: Path) -> str | None:
    """Return the codec that a .cpg file names, in one of the many ways of writing it."""
    if not path.exists():
        return None
    text = path.read_text(encoding="latin-1")[:60].strip().lower()
    digits = re.sub(r"\D", "", text)
    names = [text, text.replace(" ", "-")] if text else []
    for name in [*names, *([f"cp{digits}", f"iso8859-{digits[4:]}"] if digits else [])]:
        try:
            return _codec(name)
        except TaskFailed:
            continue
    return None


def decodes(path: Path, encoding: str, start: int = 0) -> bool:
    """Tell whether every byte of a file from `start` on is text in an encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        file.seek(start)
        try:
            while block := file.read(_BLOCK_NBYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _checked(path: Path, given: str) -> str:
    name = _codec(given)
    if not decodes(path, name):
        raise TaskFailed(ENCODING_UNKNOWN, f"{path.name} is not {given}", file=path.name, encoding=given)
    return "utf-8-sig" if name == "utf-8" else name


def _codec(given: str) -> str:
    try:
        return codecs.lookup(given).name
    # A name may hold anything, also what no name can.
    except (LookupError, ValueError) as error:
        raise TaskFailed(ENCODING_UNKNOWN, f"there is no encoding {given[:60]!r}") from error
