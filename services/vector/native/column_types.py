"""Which type a table's column gets for an Arrow type, and which Arrow type it has in chunks."""

from collections.abc import Callable
from typing import Final

import pyarrow as pa

from services.vector.models import ColumnType

ARROW: Final[dict[ColumnType, pa.DataType]] = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "jsonb": pa.string(),
    "bytea": pa.binary(),
    "bigint[]": pa.list_(pa.int64()),
    "double precision[]": pa.list_(pa.float64()),
    "boolean[]": pa.list_(pa.bool_()),
    "text[]": pa.list_(pa.string()),
}


def is_text(kind: pa.DataType) -> bool:
    """Tell whether values are strings, however they are laid out."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


_SCALARS: Final[tuple[tuple[Callable[[pa.DataType], bool], ColumnType], ...]] = (
    (pa.types.is_boolean, "boolean"),
    (lambda kind: kind in (pa.int8(), pa.int16(), pa.uint8()), "smallint"),
    (lambda kind: kind in (pa.int32(), pa.uint16()), "integer"),
    (lambda kind: kind in (pa.int64(), pa.uint32()), "bigint"),
    (lambda kind: kind in (pa.uint64(),) or pa.types.is_decimal(kind), "numeric"),
    (lambda kind: kind in (pa.float16(), pa.float32()), "real"),
    (lambda kind: kind == pa.float64(), "double precision"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None, "timestamptz"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_duration, "bigint"),
    (lambda kind: is_text(kind) or pa.types.is_null(kind), "text"),
    (_is_binary, "bytea"),
)
_ARRAYS: Final[dict[ColumnType, ColumnType]] = {
    "smallint": "bigint[]",
    "integer": "bigint[]",
    "bigint": "bigint[]",
    "real": "double precision[]",
    "double precision": "double precision[]",
    "boolean": "boolean[]",
    "text": "text[]",
}


def column_type(kind: pa.DataType) -> ColumnType:
    """Return the type of a table's column for an Arrow type; jsonb for what is nested."""
    if pa.types.is_dictionary(kind):
        return column_type(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return "jsonb" if kind.extension_name == "arrow.json" else _of_extension(kind)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _ARRAYS.get(column_type(kind.value_type), "jsonb")
    return next((name for matches, name in _SCALARS if matches(kind)), "jsonb")


def _of_extension(kind: pa.BaseExtensionType) -> ColumnType:
    return "text" if kind.extension_name == "arrow.uuid" else column_type(kind.storage_type)
