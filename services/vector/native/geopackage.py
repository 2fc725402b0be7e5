"""Values of a GeoPackage that are not of their column's type.

SQLite keeps any value in any column. OGR makes numbers, false and 1970 of what does not fit, without a
word, so these values are looked for.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from core.errors import TaskFailed
from services.findings import Findings
from services.vector.codes import UNREADABLE
from services.vector.native.misfits import Ids, Nulled, is_epoch

# More than this are no slips.
_MOST_ROWS: Final = 100_000
_INTEGER: Final = "typeof({0}) NOT IN ('integer', 'null')"
_BOUNDED: Final = "(" + _INTEGER + " OR {0} NOT BETWEEN {1} AND {2})"
_BITS: Final = {pa.int16(): 16, pa.int32(): 32}
_FLOAT: Final = "typeof({0}) NOT IN ('real', 'integer', 'null')"
# Of a date that is none SQLite makes NULL or another one; OGR reads slashes as well.
_DAY: Final = "replace(substr({0}, 1, 10), '/', '-')"
_DATE: Final = "({0} IS NOT NULL AND date({1}, '+0 days') IS NOT {1})"
_AMONG: Final = " AND {0} IN (SELECT value FROM json_each(?))"
_TIME: Final = "({0} IS NOT NULL AND (typeof({0}) <> 'text' OR datetime(replace({0}, '/', '-')) IS NULL))"


@dataclass(frozen=True)
class Table:
    """A layer as SQLite has it.

    Args:
        path: Of the GeoPackage.
        name: Of the layer.
        fid_column: Its primary key.
    """

    path: Path
    name: str
    fid_column: str


class GeoPackageColumns:
    """`services.vector.native.misfits.StoredColumns` for a layer of a GeoPackage.

    Args:
        table: Where they are.
        fields: Its attributes as OGR has them.

    Raises:
        TaskFailed: ``vector.unreadable``: there are too many, or SQLite cannot read the table.
    """

    def __init__(self, table: Table, fields: Sequence[pa.Field]) -> None:
        self._table = table
        self._nulled = Nulled()
        conditions = {field.name: each for field in fields if (each := _condition_of_number(field))}
        self._misfits = self._found(conditions)
        # To look at every time costs as much as to read it, and a bad one shows.
        self._times = {field.name: each for field in fields if (each := _condition_of_time(field))}

    def fitting(self, column: str, values: pa.Array, fids: Ids) -> pa.Array:
        """Return the values of a batch, without those that do not fit."""
        misfits = self._misfits.get(column)
        if column in self._times and len(suspects := fids[is_epoch(values)]):
            misfits = self._found({column: self._times[column]}, suspects).get(column)
        if misfits is None:
            return values
        return self._nulled.without(column, values, np.isin(fids, misfits))

    def report(self, findings: Findings) -> None:
        """Say what was changed."""
        self._nulled.report(findings)

    def _found(self, conditions: Mapping[str, str], among: Ids | None = None) -> dict[str, Ids]:
        rows = self._rows(list(conditions.values()), among) if conditions else []
        places = {name: [row[0] for row in rows if row[place]] for place, name in enumerate(conditions, 1)}
        return {name: np.array(fids, np.int64) for name, fids in places.items() if fids}

    def _rows(self, conditions: list[str], among: Ids | None) -> list[tuple[int, ...]]:
        path, fid = self._table.path, _quoted(self._table.fid_column)
        wanted = [] if among is None else [json.dumps(among.tolist())]
        # Names are quoted, and the rest is ours: SQLite takes no parameters for names.
        statement = (
            f"SELECT {fid}, {', '.join(conditions)} FROM {_quoted(self._table.name)}"  # noqa: S608
            f" WHERE ({' OR '.join(conditions)}){_AMONG.format(fid) if wanted else ''} LIMIT {_MOST_ROWS + 1}"
        )
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
                connection.execute("PRAGMA trusted_schema = OFF")
                rows: list[tuple[int, ...]] = connection.execute(statement, wanted).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(f"{path.name}: {error}"[:300]) from error
        if len(rows) > _MOST_ROWS:
            found = f"{path.name}: more than {_MOST_ROWS:,} rows of {self._table.name!r} have values of other"
            raise self._unreadable(f"{found} types than their columns")
        return rows

    def _unreadable(self, message: str) -> TaskFailed:
        return TaskFailed(UNREADABLE, message, file=self._table.path.name, driver="GPKG")


def _condition_of_number(field: pa.Field) -> str | None:
    """Return what is true in SQL where a value does not fit; None for columns of other kinds."""
    name, kind = _quoted(field.name), field.type
    if kind in _BITS:
        most = 2 ** (_BITS[kind] - 1)
        return _BOUNDED.format(name, -most, most - 1)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return _INTEGER.format(name)
    return _FLOAT.format(name) if pa.types.is_floating(kind) else None


def _condition_of_time(field: pa.Field) -> str | None:
    name, kind = _quoted(field.name), field.type
    if pa.types.is_date(kind):
        return _DATE.format(name, _DAY.format(name))
    return _TIME.format(name) if pa.types.is_timestamp(kind) else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
