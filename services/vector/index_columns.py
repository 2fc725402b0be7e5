"""Which columns of a table get an index, found among those that a file has."""

from collections.abc import Mapping, Sequence
from typing import Final

from core.errors import TaskFailed
from services.vector.codes import INDEX_COLUMN_NOT_TEMPORAL, INDEX_COLUMN_UNKNOWN
from services.vector.models import ColumnDescription, ColumnType, IndexColumns

# What a BRIN cannot be made of, and no time is written as; a B-tree takes every type that columns have.
_NEVER_TEMPORAL: Final[frozenset[ColumnType]] = frozenset(
    {"boolean", "jsonb", "bigint[]", "double precision[]", "boolean[]", "text[]"}
)
_MOST_SHOWN: Final = 50


def find_columns(columns: Sequence[ColumnDescription], wanted: IndexColumns) -> IndexColumns:
    """Return the same columns, each once and by its name in the table.

    Raises:
        TaskFailed: ``vector.index_column_unknown`` or ``vector.index_column_not_temporal``.
    """
    # Where a column of the file is called as another one is in the table, the table's name is meant.
    names = {column.source_name: column.name for column in columns}
    names |= {column.name: column.name for column in columns}
    temporal = _found(names, wanted.temporal, "temporal")
    types = {column.name: column.type for column in columns}
    others = [f"{name} ({types[name]})" for name in temporal if types[name] in _NEVER_TEMPORAL]
    if others:
        raise TaskFailed(
            INDEX_COLUMN_NOT_TEMPORAL,
            f"indexes.temporal: {', '.join(others)} holds no dates, times or years.",
        )
    return IndexColumns(attributes=_found(names, wanted.attributes, "attributes"), temporal=temporal)


def _found(names: Mapping[str, str], wanted: Sequence[str], parameter: str) -> list[str]:
    unknown = [name for name in wanted if name not in names]
    if unknown:
        known = ", ".join(sorted(set(names.values()))[:_MOST_SHOWN])
        raise TaskFailed(
            INDEX_COLUMN_UNKNOWN,
            f"indexes.{parameter}: {', '.join(unknown)} is not among {known or 'no columns'}.",
        )
    return list(dict.fromkeys(names[name] for name in wanted))
