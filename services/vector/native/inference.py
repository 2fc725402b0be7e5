"""Types of columns of text, found by looking at every value."""

from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

Guess = Literal["bigint", "double precision", "boolean", "date", "timestamp", "timestamptz", "text"]

_ARROW: Final[dict[Guess, pa.DataType]] = {
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "text": pa.string(),
}
_ORDER: Final[tuple[Guess, ...]] = (
    "bigint",
    "double precision",
    "boolean",
    "date",
    "timestamp",
    "timestamptz",
)
#: What a column of one type may still become; everything may become text.
_WIDER: Final[dict[Guess, tuple[Guess, ...]]] = {"bigint": ("double precision",), "date": ("timestamp",)}
# Codes such as 00123, and integers that no number type holds exactly.
_NO_INTEGER: Final = r"^\s*[+-]?(0\d|\d{19,}\s*$)"
_NO_NUMBER: Final = r"^\s*[+-]?(0\d|\d{16,}\s*$)"
_BOOLEANS: Final = r"^(?i:true|false)$"
_DATES: Final = r"^\d{4}-\d{2}-\d{2}$"
#: How spreadsheets and databases write that there is none.
NO_VALUE: Final = pa.array(["", "NA", "N/A", "#N/A", "NULL", "null", "None", "NaN", "nan", "-"])


class TypeGuess:
    """The narrowest type that takes every value of a column seen so far.

    Args:
        decimal: Decimal mark of its numbers.
    """

    def __init__(self, decimal: str) -> None:
        self._decimal = decimal
        self._guess: Guess | None = None
        self.has_long_integers = False

    @property
    def type(self) -> pa.DataType:
        """Return the type; text for a column without values."""
        return _ARROW[self._guess or "text"]

    def look(self, values: pa.StringArray) -> None:
        """Take some values into account."""
        if self._guess == "text" or values.null_count == len(values):
            return
        candidates = _ORDER if self._guess is None else (self._guess, *_WIDER.get(self._guess, ()))
        self._guess = next((each for each in candidates if self._fits(values, each)), "text")

    def convert(self, values: pa.StringArray) -> pa.Array:
        """Return values in the type that was found."""
        return as_type(values, self.type, self._decimal)

    def _fits(self, values: pa.StringArray, guess: Guess) -> bool:
        if not self._has_shape_of(values, guess):
            return False
        try:
            as_type(values, _ARROW[guess], self._decimal)
        except pa.ArrowInvalid:
            return False
        return True

    def _has_shape_of(self, values: pa.StringArray, guess: Guess) -> bool:
        if guess in ("bigint", "double precision"):
            spoilt = _any(values, _NO_INTEGER if guess == "bigint" else _NO_NUMBER)
            self.has_long_integers |= spoilt and _any(values, r"^\s*[+-]?[1-9]\d{15,}\s*$")
            return not spoilt
        # Arrow takes 0 and 1 for booleans, and more spellings of dates than one.
        pattern = {"boolean": _BOOLEANS, "date": _DATES}.get(guess)
        return pattern is None or bool(
            pc.all(pc.match_substring_regex(_with_values(values), pattern)).as_py()
        )


def as_type(values: pa.StringArray, kind: pa.DataType, decimal: str) -> pa.Array:
    """Return text as another type; the usual spellings of "no value" become null.

    Raises:
        pyarrow.ArrowInvalid: Some value is none of that type.
    """
    if kind == pa.string():
        return values
    if decimal == "," and kind in (pa.float64(), pa.int64()):
        values = pc.replace_substring(values, ",", ".")
    try:
        return pc.cast(values, kind)
    except pa.ArrowInvalid:
        return pc.cast(_with_values(values), kind)


def _with_values(values: pa.StringArray) -> pa.StringArray:
    trimmed = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.is_in(trimmed, NO_VALUE), pa.scalar(None, pa.string()), trimmed)


def _any(values: pa.StringArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(values, pattern)).as_py())
