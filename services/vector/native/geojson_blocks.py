"""The features of a GeoJSON file, block by block: cut where one feature ends and the next begins.

A cut is a guess that is proved by what is parsed: a block that was cut within a text or an object is
no JSON any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from services.vector.geojson import FEATURES

_BLOCK_NBYTES: Final = 8 * 1024 * 1024
_HEAD_NBYTES: Final = 1024 * 1024
# A feature that is longer, or a place to cut that lies deeper, is left to the ordinary way.
_LONGEST_NBYTES: Final = 2 * _BLOCK_NBYTES
_MOST_TRIES: Final = 100
_GAP_NBYTES: Final = 64
_SPACE: Final = b" \t\r\n"
# OGR ends a text at a character of zero.
_NUL: Final = b"\\u0000"
_RECORD_SEPARATOR: Final = b"\x1e"


class IrregularError(Exception):
    """The file is not of the plain kind that is read without OGR."""


@dataclass(frozen=True)
class Block:
    """Whole features that follow each other, by where they begin and end in the file."""

    start: int
    end: int


class FeatureBlocks:
    """Yields the blocks of a file, and knows what stands around the features when it has ended.

    Args:
        path: The file.
        is_sequence: Whether every line is a feature.
    """

    def __init__(self, path: Path, *, is_sequence: bool) -> None:
        self._path = path
        self._is_sequence = is_sequence
        self._head = self._tail = b""

    def __iter__(self) -> Iterator[Block]:
        """Cut the file.

        Raises:
            IrregularError: It has to be read in the ordinary way.
        """
        with self._path.open("rb") as file:
            rest = b"" if self._is_sequence else self._begin(file)
            start = len(self._head)
            while more := file.read(_BLOCK_NBYTES):
                rest += more
                if cut := self._cut(rest):
                    yield Block(start, start + cut)
                    start, rest = start + cut, rest[cut:]
                elif len(rest) > _LONGEST_NBYTES:
                    raise IrregularError("no end of a feature in sight")
            if end := self._end(rest):
                yield Block(start, start + end)

    def parsed(self, block: Block) -> list[Any]:
        """Return the features of a block.

        Raises:
            IrregularError: It was cut in the wrong place, or OGR would not take it as it is.
        """
        with self._path.open("rb") as file:
            file.seek(block.start)
            text = file.read(block.end - block.start)
        if _NUL in text or _RECORD_SEPARATOR in text:
            raise IrregularError("characters that are handled elsewhere")
        if self._is_sequence:
            return [_loads(line) for line in text.split(b"\n") if line.strip(_SPACE)]
        features: list[Any] = _loads(b"[" + text.lstrip(_SPACE + b",") + b"]")
        return features

    def around(self, features: list[Any]) -> bytes:
        """Return a small file of the same kind with other features in it."""
        if self._is_sequence:
            return b"\n".join(map(orjson.dumps, features)) + b"\n"
        return self._head + b",".join(map(orjson.dumps, features)) + self._tail

    def _begin(self, file: BinaryIO) -> bytes:
        text = file.read(_HEAD_NBYTES)
        found = FEATURES.search(text)
        if found is None:
            raise IrregularError("no features near the beginning")
        self._head = text[: found.end()]
        return text[found.end() :]

    def _cut(self, text: bytes) -> int:
        """Return where the last whole feature ends, or 0 if that cannot be told yet."""
        if self._is_sequence:
            return text.rfind(b"\n") + 1
        place = len(text)
        for _ in range(_MOST_TRIES):
            place = text.rfind(b"{", 0, place)
            if place <= 0:
                break
            before = text[max(0, place - _GAP_NBYTES) : place].rstrip(_SPACE)
            if before.endswith(b",") and before[:-1].rstrip(_SPACE).endswith(b"}"):
                return text.rfind(b"}", 0, place) + 1
        return 0

    def _end(self, text: bytes) -> int:
        """Return where the last feature ends in the rest of the file, and keep what follows."""
        if self._is_sequence:
            return len(text.rstrip(_SPACE))
        place = len(text)
        for _ in range(_MOST_TRIES):
            place = text.rfind(b"]", 0, place)
            if place < 0:
                break
            end = len(text[:place].rstrip(_SPACE))
            if text[:end].endswith(b"}"):
                self._tail = text[place:]
                self._check_frame()
                return end
        raise IrregularError("the features do not end")

    def _check_frame(self) -> None:
        frame = _loads(self._head + self._tail)
        if not isinstance(frame, dict) or frame.get("type") != "FeatureCollection" or frame["features"] != []:
            raise IrregularError("not a collection of features")


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise IrregularError(str(error)) from error
