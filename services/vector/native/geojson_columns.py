"""Properties of parsed GeoJSON as columns, with what OGR needs to see to name their types."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from services.vector.geojson import LARGEST, SMALLEST
from services.vector.native.geojson_blocks import IrregularError

_MOST_SETS_OF_KEYS: Final = 200
_EXACT: Final = 2**53
_NONE: Final = type(None)
# Texts that OGR may take for times begin so; all others it takes for texts.
_MAYBE_TIME: Final = r"^ *[-+0-9T]"
_TIME_SIGNS: Final = r"[-/:T]"
_DATE: Final = r"^\d{4}-\d{2}-\d{2}$"


@dataclass
class Property:
    """What has been seen of one property.

    Args:
        kinds: Types of its values.
        samples: Values that tell OGR as much as all of them.
        is_text: Whether a value was seen that can be nothing but text.
        are_dates: Whether every text so far is a date.
        are_plain: Whether no text so far has a sign that times have.
    """

    kinds: set[type] = field(default_factory=set)
    samples: dict[str, Any] = field(default_factory=dict)
    is_text: bool = False
    are_dates: bool = True
    are_plain: bool = True

    def take(self, values: Sequence[Any]) -> pa.Array:
        """Note some values and return them as an array."""
        kinds = set(map(type, values)) - {_NONE}
        self.kinds |= kinds
        if not kinds:
            return pa.nulls(len(values))
        if kinds == {str}:
            return self._texts(pa.array(values, pa.string()))
        if kinds == {bool}:
            self.samples["bool"] = next(each for each in values if each is not None)
            return pa.array(values, pa.bool_())
        if kinds <= {int, float}:
            return self._numbers(values, kinds)
        raise IrregularError("values of different types, or values with parts")

    def add(self, later: "Property") -> None:
        """Note what was seen elsewhere of the same property, further on in the file."""
        self.kinds |= later.kinds
        text = later.samples if later.is_text else self.samples
        samples = later.samples | self.samples
        for name, outermost in (("least", min), ("most", max)):
            seen = [each.samples[name] for each in (self, later) if name in each.samples]
            samples |= {name: outermost(seen)} if seen else {}
        if "text" in text:
            samples["text"] = text["text"]
        self.samples = samples
        self.is_text |= later.is_text
        self.are_dates &= later.are_dates
        self.are_plain &= later.are_plain

    def check(self) -> None:
        """Refuse what could not be brought to one type as OGR does it.

        Raises:
            IrregularError: OGR is to decide.
        """
        if len(self.kinds) > 1 and self.kinds != {int, float}:
            raise IrregularError("values of different types")
        extremes = (abs(self.samples.get(name, 0)) for name in ("least", "most"))
        if self.kinds == {int, float} and max(extremes) > _EXACT:
            raise IrregularError("integers that become less exact")
        if self.kinds == {str} and not (self.is_text or self.are_dates or self.are_plain):
            raise IrregularError("times")

    @property
    def types(self) -> set[pa.DataType]:
        """Return the types that OGR may give to such values."""
        if self.kinds <= {str}:
            could_be_dates = self.kinds and self.are_dates and not self.is_text
            return {pa.date32()} if could_be_dates else {pa.string()}
        if self.kinds == {bool}:
            return {pa.bool_()}
        return {pa.int32(), pa.int64()} if self.kinds == {int} else {pa.float64()}

    def _numbers(self, values: Sequence[Any], kinds: set[type]) -> pa.Array:
        if float in kinds:
            self.samples.setdefault("float", next(each for each in values if type(each) is float))
        integers = [each for each in values if type(each) is int] if float in kinds else values
        if int in kinds:
            there = [each for each in integers if each is not None]
            self.samples["least"] = min(*there, self.samples.get("least", there[0]))
            self.samples["most"] = max(*there, self.samples.get("most", there[0]))
            if self.samples["least"] < SMALLEST:
                raise IrregularError("integers that OGR rounds")
        if float not in kinds:
            return pa.array(values, pa.int64())
        # What was an integer of more than 64 bits is a real number by now.
        numbers = pa.array(values, pa.float64())
        if (pc.max(pc.abs(numbers)).as_py() or 0.0) >= LARGEST:
            raise IrregularError("integers of more than 64 bits, perhaps")
        return numbers

    def _texts(self, texts: pa.StringArray) -> pa.StringArray:
        if self.is_text:
            return texts
        maybe = pc.fill_null(pc.match_substring_regex(texts, _MAYBE_TIME), True)
        if not pc.all(maybe).as_py():
            self.is_text = True
            self.samples = {"text": texts.filter(pc.invert(maybe))[0].as_py()}
            return texts
        self.samples.setdefault("text", texts.drop_null()[0].as_py())
        self.are_dates &= _are_dates(texts)
        self.are_plain &= not pc.any(pc.match_substring_regex(texts, _TIME_SIGNS)).as_py()
        return texts


def _are_dates(texts: pa.StringArray) -> bool:
    """Tell whether all texts are dates that there are."""
    if not pc.all(pc.match_substring_regex(texts, _DATE)).as_py():
        return False
    try:
        pc.cast(texts, pa.date32())
    except pa.ArrowInvalid:
        return False
    return True


class Properties:
    """The properties of all features of a file, and which of them stand together."""

    def __init__(self) -> None:
        self.by_name: dict[str, Property] = {}
        self.keys: dict[tuple[str, ...], None] = {}

    def take(self, rows: Sequence[dict[str, Any]]) -> dict[str, pa.Array]:
        """Note some features' properties and return those that they have as arrays.

        Raises:
            IrregularError: OGR is to read them.
        """
        if set(map(type, rows)) != {dict}:
            raise IrregularError("properties that are no object")
        keys = dict.fromkeys(map(tuple, rows))
        self.keys |= keys
        if len(self.keys) > _MOST_SETS_OF_KEYS:
            raise IrregularError("too many sets of properties")
        if len(keys) == 1:
            columns = dict(
                zip(next(iter(keys)), zip(*(row.values() for row in rows), strict=True), strict=True)
            )
        else:
            names = dict.fromkeys(name for each in keys for name in each)
            columns = {name: tuple(row.get(name) for row in rows) for name in names}
        return {
            name: self.by_name.setdefault(name, Property()).take(values) for name, values in columns.items()
        }

    def add(self, later: "Properties") -> None:
        """Note what was seen of features further on in the file.

        Raises:
            IrregularError: OGR is to read them.
        """
        for name, seen in later.by_name.items():
            self.by_name.setdefault(name, Property()).add(seen)
        self.keys |= later.keys
        if len(self.keys) > _MOST_SETS_OF_KEYS:
            raise IrregularError("too many sets of properties")

    def samples(self) -> Iterator[dict[str, Any]]:
        """Yield properties of which OGR makes the same columns as of all features.

        Raises:
            IrregularError: That cannot be promised.
        """
        for each in self.by_name.values():
            each.check()
        for keys in self.keys:
            yield from _rows(keys, [list(self.by_name[name].samples.values()) for name in keys])


def _rows(keys: tuple[str, ...], values: list[list[Any]]) -> Iterator[dict[str, Any]]:
    for row in list(zip_longest(*values)) or [(None,) * len(keys)]:
        yield dict(zip(keys, row, strict=True))
