"""What OGR does not tell of GeoJSON: lines that it stops at, integers that it rounds, bad geometries.

All of it is found in the text, block by block, and rewritten beside it only where it has to be.
"""

import json
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

from core.json import JsonObject

_BLOCK_NBYTES: Final = 8 * 1024 * 1024
_EXAMPLES: Final = 10
_LONGEST_LINE_SHOWN: Final = 80
# Everything that is no digit becomes one byte, so that a run of digits is found by a plain search.
_DIGITS: Final = bytes(ord("0") if 48 <= byte <= 57 else 1 for byte in range(256))
_LONG_RUN: Final = b"0" * 19
# Strings are matched whole, to be passed over.
_STRING_OR_INTEGER: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|(?<![\w.+-])-?\d{19,}(?![\d.eE])')
# OGR rounds negative integers from nineteen digits on, though 64 bits would hold most of them.
SMALLEST, LARGEST = 1 - 10**18, 2**63 - 1
# Longer tokens are beyond 64 bits anyhow, and Python refuses to convert very long ones.
_MOST_DIGITS: Final = 20
_FEATURES: Final = re.compile(r'"features"\s*:\s*\[')
#: Where the features of a collection begin.
FEATURES: Final = re.compile(_FEATURES.pattern.encode())
_DECODER: Final = json.JSONDecoder()
_CRS: Final = re.compile(r'"crs"\s*:\s*(?=[{"])')
# The members of a collection beside its features are short.
_MEMBERS_NBYTES: Final = 64 * 1024
_BETWEEN: Final = re.compile(r"[\s,\x1e]*")


@dataclass(frozen=True)
class GeoJsonText:
    """A file that OGR reads without losing anything unasked.

    Args:
        path: The file, or what was written in its place.
        features: About how many there are.
        long_integers: How many integers that OGR would round were put in quotes.
        long_names: The properties that have such integers as values.
        bad_lines: Numbers, from 1, of lines of a sequence that are no JSON object.
        examples: The first of those lines.
    """

    path: Path
    features: int
    long_integers: int
    long_names: frozenset[str]
    bad_lines: list[int]
    examples: list[str]


def checked_text(path: Path, *, is_sequence: bool) -> GeoJsonText:
    """Return a file that can be given to OGR, and what had to be left out of it or changed."""
    bad_lines: list[int] = []
    examples: list[str] = []
    if is_sequence:
        features, bad_lines, examples = _bad_lines(path)
        if bad_lines:
            path = _without_lines(path, set(bad_lines))
    else:
        features = _count_features(path)
    quoted, names = 0, frozenset[str]()
    if _has_long_digits(path):
        original = path
        path, quoted = _with_quoted_integers(original)
        names = _names_of_long_integers(original, is_sequence=is_sequence) if quoted else names
    return GeoJsonText(path, features, quoted, names, bad_lines, examples)


def crs_member(path: Path) -> str | None:
    """Return what the old member ``crs`` of a collection names, or itself as JSON if it names nothing.

    OGR takes degrees for granted where it does not understand the member, and does not say so.
    """
    with path.open("rb") as file:
        head = file.read(_MEMBERS_NBYTES).decode(errors="replace")
        file.seek(max(0, path.stat().st_size - _MEMBERS_NBYTES))
        tail = file.read().decode(errors="replace")
    features = _FEATURES.search(head)
    if features is None:
        return None
    for text in (head[: features.start()], tail.rpartition("]")[2]):
        found = _CRS.search(text)
        if found is not None:
            return _crs_name(text[found.end() :])
    return None


def _crs_name(text: str) -> str | None:
    try:
        member, _ = _DECODER.raw_decode(text)
    except ValueError:
        return None
    properties = member.get("properties") if isinstance(member, dict) else None
    named = isinstance(properties, dict) and (properties.get("name") or properties.get("code"))
    return str(named) if named else json.dumps(member)


def null_geometries(path: Path, *, is_sequence: bool) -> "array[int]":
    """Return the positions of features that really have no geometry, among all features.

    OGR gives null also for geometries that it cannot read.
    """
    nulls = array("q")
    position = 0
    for item in _items(path, is_sequence=is_sequence):
        if item.get("type") != "Feature":
            continue
        if item.get("geometry") is None:
            nulls.append(position)
        position += 1
    return nulls


def _count_features(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b'"Feature"') for block in _blocks(file))


def _has_long_digits(path: Path) -> bool:
    tail = b""
    with path.open("rb") as file:
        for block in _blocks(file):
            digits = tail + block.translate(_DIGITS)
            if _LONG_RUN in digits:
                return True
            tail = digits[-len(_LONG_RUN) :]
    return False


def _with_quoted_integers(path: Path) -> tuple[Path, int]:
    """Put integers beyond 64 bits in quotes, for OGR rounds them or clamps them without a word."""
    target = path.with_name(f"quoted_{path.name}")
    count = 0
    with path.open("rb") as source, target.open("wb") as output:
        rest = b""
        for block in _blocks(source):
            text = rest + block
            end = _safe_end(text)
            rewritten, found = _quoted(text[:end])
            count += found
            output.write(rewritten)
            rest = text[end:]
        rewritten, found = _quoted(rest)
        output.write(rewritten)
        count += found
    return (target, count) if count else (path, 0)


def _safe_end(text: bytes) -> int:
    """Return a place in a text that lies neither in a string nor in a number."""
    last = 0
    for match in _STRING_OR_INTEGER.finditer(text):
        last = match.end()
    opened = text.find(b'"', last)
    if opened >= 0:
        return opened
    end = len(text)
    while end > last and text[end - 1 : end] not in b" \t\r\n,:[]{}":
        end -= 1
    return end


def _quoted(text: bytes) -> tuple[bytes, int]:
    count = 0

    def quote(match: re.Match[bytes]) -> bytes:
        nonlocal count
        token = match.group()
        if token.startswith(b'"') or not _is_long(token):
            return token
        count += 1
        return b'"' + token + b'"'

    return _STRING_OR_INTEGER.sub(quote, text), count


def _is_long(token: bytes | str) -> bool:
    return len(token) > _MOST_DIGITS or not SMALLEST <= int(token) <= LARGEST


def _names_of_long_integers(path: Path, *, is_sequence: bool) -> frozenset[str]:
    """Return the properties that have a long integer as value, and not only within an array or object."""
    long_integer = object()
    decoder = json.JSONDecoder(parse_int=lambda token: long_integer if _is_long(token) else int(token))
    names: set[str] = set()
    for item in _items(path, is_sequence=is_sequence, decoder=decoder):
        properties: Any = item.get("properties")
        # OGR takes the members of a feature without properties for some.
        members = properties if isinstance(properties, dict) else item
        names.update(name for name, value in members.items() if value is long_integer)
    return frozenset(names)


def _bad_lines(path: Path) -> tuple[int, list[int], list[str]]:
    """Return how many lines there are, and which are not an object; OGR stops at some of those."""
    count, bad, examples = 0, [], []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.strip(b" \t\r\n\x1e\xef\xbb\xbf")
            if not text:
                continue
            count += 1
            if not (text.startswith(b"{") and text.endswith(b"}") and _is_object(text)):
                bad.append(number)
                examples.append(text[:_LONGEST_LINE_SHOWN].decode(errors="replace"))
                del examples[_EXAMPLES:]
    return count, bad, examples


def _is_object(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _without_lines(path: Path, left_out: set[int]) -> Path:
    target = path.with_name(f"sound_{path.name}")
    with path.open("rb") as source, target.open("wb") as output:
        output.writelines(line for number, line in enumerate(source, 1) if number not in left_out)
    return target


def _items(path: Path, *, is_sequence: bool, decoder: json.JSONDecoder = _DECODER) -> Iterator[JsonObject]:
    """Yield the objects of a collection or sequence, never holding more than a few in memory."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        text, place = _text_at_items(file, is_sequence=is_sequence), 0
        while True:
            place = _after_separators(text, place)
            try:
                item, place = decoder.raw_decode(text, place)
            except ValueError:
                # The block ends within this object, or the collection ends here.
                more = file.read(max(_BLOCK_NBYTES, len(text) - place))
                if not more:
                    return
                text, place = text[place:] + more, 0
                continue
            if isinstance(item, dict):
                yield item


def _after_separators(text: str, place: int) -> int:
    found = _BETWEEN.match(text, place)
    return found.end() if found else place


def _text_at_items(file: TextIO, *, is_sequence: bool) -> str:
    text = file.read(_BLOCK_NBYTES)
    if is_sequence:
        return text
    while not (found := _FEATURES.search(text)):
        more = file.read(_BLOCK_NBYTES)
        if not more:
            return text
        text += more
    return text[found.end() :]


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK_NBYTES):
        yield block
