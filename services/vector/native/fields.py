"""From the types that readers give to those of a table, and values that a table can hold."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import TaskFailed
from services.findings import Findings
from services.vector.codes import COLUMN_RENAMED, COLUMNS_TOO_MANY, VALUES_CHANGED
from services.vector.columns import sanitised_names
from services.vector.models import ColumnDescription, ColumnType
from services.vector.native.column_types import ARROW, column_type, is_text
from services.vector.native.source import Field

# PostgreSQL's limit of 1,600, less those of the table and what a later migration may want.
MOST_COLUMNS: Final = 1_590
_NBYTES: Final[dict[ColumnType, int]] = {
    "smallint": 2,
    "integer": 4,
    "bigint": 8,
    "real": 4,
    "double precision": 8,
    "boolean": 1,
    "date": 4,
    "time": 8,
    "timestamp": 8,
    "timestamptz": 8,
}
# A row has to fit into a page of 8 KiB; long values go elsewhere and leave 18 bytes behind.
_MOST_ROW_NBYTES: Final = 8_000
_TOASTED_NBYTES: Final = 18
_FIRST_YEAR, _LAST_YEAR = 1, 9_999
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - arithmetic on instants without a zone
_EARLIEST_US: Final = (datetime(_FIRST_YEAR, 1, 1) - _EPOCH) // timedelta(microseconds=1)  # noqa: DTZ001 - without a zone, as above
_LATEST_US: Final = (datetime(_LAST_YEAR, 12, 31, 23, 59, 59) - _EPOCH) // timedelta(microseconds=1)  # noqa: DTZ001 - without a zone, as above
_EARLIEST_DAY: Final = (date(_FIRST_YEAR, 1, 1) - date(1970, 1, 1)).days
_LATEST_DAY: Final = (date(_LAST_YEAR, 12, 31) - date(1970, 1, 1)).days


@dataclass
class Column:
    """A column of the table, and what had to be done to its values.

    Args:
        description: What the result says of it.
        arrow: Its type in chunks.
    """

    description: ColumnDescription
    arrow: pa.DataType
    nulled: int = 0
    cleaned: int = 0
    quoted: int = 0

    def convert(self, values: pa.Array) -> pa.Array:
        """Return values in the column's type, without those that no table can hold."""
        values = _plain(values)
        kind = self.description.type
        if kind == "jsonb":
            return self._as_json(values)
        if kind in ("timestamp", "timestamptz"):
            return self._as_timestamps(values)
        if kind == "date":
            return self._as_dates(values)
        if kind == "text":
            return self._as_text(values)
        if pa.types.is_duration(values.type):
            return values.cast(pa.duration("us")).cast(pa.int64())
        return values.cast(self.arrow)

    def report(self, findings: Findings) -> None:
        """Say what was changed."""
        name = self.description.source_name
        if self.nulled:
            message = f"{self.nulled:,} values of {name!r} lie outside the years 1 to 9999 and became NULL"
            findings.add("warning", VALUES_CHANGED, message)
        if self.cleaned:
            message = f"{self.cleaned:,} values of {name!r} had characters that text cannot hold"
            findings.add("warning", VALUES_CHANGED, message)
        if self.quoted:
            message = f"{self.quoted:,} values of {name!r} are no JSON and became JSON strings"
            findings.add("info", VALUES_CHANGED, message)

    def _as_timestamps(self, values: pa.Array) -> pa.Array:
        # A cast to finer units would overflow for years far away, so they go first.
        per_unit = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}[values.type.unit]
        scale = 1_000 if values.type.unit == "ns" else 1
        counted = values.cast(pa.int64())
        low, high = _EARLIEST_US * scale // per_unit, _LATEST_US * scale // per_unit
        if scale > 1:
            low, high = max(low, -(2**63)), min(high, 2**63 - 1)
        return self._within(values, counted, low, high).cast(self.arrow, safe=False)

    def _as_dates(self, values: pa.Array) -> pa.Array:
        days = values.cast(pa.date32(), safe=False)
        return self._within(days, days.cast(pa.int32()), _EARLIEST_DAY, _LATEST_DAY)

    def _within(self, values: pa.Array, counted: pa.Array, low: int, high: int) -> pa.Array:
        outside = pc.or_(pc.less(counted, low), pc.greater(counted, high))
        count = pc.sum(outside).as_py() or 0
        if not count:
            return values
        self.nulled += count
        return pc.if_else(outside, pa.scalar(None, values.type), values)

    def _as_text(self, values: pa.Array) -> pa.Array:
        if not is_text(values.type):
            return values.cast(pa.string())
        text = values.cast(pa.string())
        try:
            text.validate(full=True)
        except pa.ArrowInvalid:
            raw = text.cast(pa.binary(), safe=False).to_pylist()
            text = pa.array([each if each is None else each.decode(errors="replace") for each in raw])
            self.cleaned += sum(1 for each in raw if each is not None and not _is_utf8(each))
        return self._without_nul(text)

    def _without_nul(self, text: pa.Array) -> pa.Array:
        """Leave out the one character that text of PostgreSQL cannot hold."""
        found = pc.match_substring(text, "\x00")
        count = pc.sum(found).as_py() or 0
        if not count:
            return text
        self.cleaned += count
        return pc.replace_substring(text, "\x00", "")

    def _as_json(self, values: pa.Array) -> pa.Array:
        if not is_text(values.type):
            found = values.to_pylist(maps_as_pydicts="lossy" if _has_text_keys(values.type) else None)
            texts = [each if each is None else json.dumps(each, default=_json_default) for each in found]
            return self._without_escaped_nul(pa.array(texts, pa.string()))
        text = self._as_text(values)
        unique = pc.unique(text.drop_null()).to_pylist()
        bad = {each for each in unique if not _is_json(each)}
        if not bad:
            return self._without_escaped_nul(text)
        texts = [json.dumps(each) if each in bad else each for each in text.to_pylist()]
        self.quoted += sum(1 for each in text.to_pylist() if each in bad)
        return self._without_escaped_nul(pa.array(texts, pa.string()))

    def _without_escaped_nul(self, text: pa.Array) -> pa.Array:
        found = pc.match_substring(text, "\\u0000")
        count = pc.sum(found).as_py() or 0
        if not count:
            return text
        self.cleaned += count
        return pc.replace_substring(text, "\\u0000", "")


def _plain(values: pa.Array) -> pa.Array:
    """Return values without dictionary or extension types around them."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if isinstance(values.type, pa.BaseExtensionType):
        if values.type.extension_name == "arrow.uuid":
            return pa.array([each and str(each) for each in values.to_pylist()], pa.string())
        values = values.storage
    return values


def _has_text_keys(kind: pa.DataType) -> bool:
    """Tell whether the maps within values of a type, if any, can be objects of JSON."""
    if pa.types.is_map(kind) and not is_text(kind.key_type):
        return False
    return all(_has_text_keys(kind.field(place).type) for place in range(kind.num_fields))


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return False
    return True


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _json_default(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def make_columns(fields: list[Field], findings: Findings) -> list[Column]:
    """Return the table's columns for a file's fields.

    Raises:
        TaskFailed: ``vector.columns_too_many``.
    """
    if len(fields) > MOST_COLUMNS:
        raise TaskFailed(
            COLUMNS_TOO_MANY,
            f"the file has {len(fields):,} columns, a table can have {MOST_COLUMNS:,}",
            columns=len(fields),
            most=MOST_COLUMNS,
        )
    names = sanitised_names([field.name for field in fields])
    columns = [_column(field, name) for field, name in zip(fields, names, strict=True)]
    _refuse_wide_rows(columns)
    renamed = [each.description for each in columns if each.description.name != each.description.source_name]
    if renamed:
        shown = ", ".join(f"{each.source_name[:63]!r} is {each.name}" for each in renamed[:20])
        more = f" and {len(renamed) - 20} more" if len(renamed) > 20 else ""
        findings.add("info", COLUMN_RENAMED, shown + more)
    return columns


def _refuse_wide_rows(columns: list[Column]) -> None:
    nbytes = sum(_NBYTES.get(each.description.type, _TOASTED_NBYTES) for each in columns)
    if nbytes > _MOST_ROW_NBYTES:
        raise TaskFailed(
            COLUMNS_TOO_MANY,
            f"a row of the {len(columns):,} columns needs at least {nbytes:,} bytes, "
            f"a table has room for {_MOST_ROW_NBYTES:,}",
            columns=len(columns),
        )


def _column(field: Field, name: str) -> Column:
    kind: ColumnType = "jsonb" if field.is_json else column_type(field.type)
    arrow = _numeric(field.type) if kind == "numeric" else ARROW[kind]
    note = "microseconds" if pa.types.is_duration(field.type) else field.note
    description = ColumnDescription(
        name=name,
        source_name=field.name,
        type=kind,
        precision=arrow.precision if kind == "numeric" else None,
        scale=arrow.scale if kind == "numeric" else None,
        note=note,
    )
    return Column(description, arrow)


def _numeric(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if kind == pa.uint64():
        return pa.decimal128(20, 0)
    if kind.precision > pa.decimal128(38, 0).precision:
        return pa.decimal256(kind.precision, kind.scale)
    return pa.decimal128(kind.precision, kind.scale)
