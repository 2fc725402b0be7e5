"""The table that a job loads aside: made and widened as its file becomes known, and filled."""

import time
from functools import partial
from pathlib import Path

from core.handler import TaskContext
from core.json import JsonObject
from core.models import tables
from core.models.tables import Chunk, NewTable, TableColumn, TableName
from core.ports.effects import EffectTransaction
from services.vector.codes import GEOMETRY_EMPTY, GEOMETRY_UNUSABLE
from services.vector.handover import STAGING_SCHEMA, LoadedChunk
from services.vector.models import ColumnDescription, Dropped, PreparedVector, VectorOutline
from services.vector.wkb import conform

_CODES = {"empty": GEOMETRY_EMPTY, "unusable": GEOMETRY_UNUSABLE}


class MixedTooLate(Exception):
    """What was loaded is not what the whole file makes of it; the file has to be read again."""


class StagedTable:
    """A table that is loaded while its file is being read.

    Loads may run beside each other, but not beside `admit`.

    Args:
        context: The task's world.
        target: Where the table is to be published.
        replace: Whether a table that stands there may be replaced.
        source: What the table's comment names.
    """

    def __init__(self, context: TaskContext, target: TableName, source: str, *, replace: bool) -> None:
        self._context = context
        self._target = target
        self._replace = replace or context.is_own(target.location)
        self._comment = f"Source: {source}, loaded by Terrane job {context.task.job_id}"
        #: Modifier of its geometries; None as long as there is no table.
        self.geometry_type: str | None = None
        task = context.task
        self.name = TableName(STAGING_SCHEMA, f"v_{task.job_id[:32]}_r{task.revision}")

    def admit(self, outline: VectorOutline, geometry_type: str) -> None:
        """Let the table take geometries of a type, which takes those of all rows before as well.

        Raises:
            MixedTooLate: Rows that are there have become multi, and in a column of all types would
                have stayed single.
        """
        self._refuse_mixture(geometry_type)
        self._declare()
        with self._context.transaction() as transaction:
            self._become(transaction, self._definition(outline, geometry_type))
        self.geometry_type = geometry_type

    def load(self, path: Path, first_id: int, rows: int) -> LoadedChunk:
        """Load a chunk of the fast path in a transaction of its own, and remove the file."""
        assert self.geometry_type is not None  # noqa: S101 - `admit` comes first
        fit = partial(conform, geometry_type=self.geometry_type)
        with self._context.transaction() as transaction:
            loaded = load_chunk(transaction, self.name, Chunk(path, first_id, rows, None, fit))
        path.unlink()
        return loaded

    def finish(self, prepared: PreparedVector, result: JsonObject) -> None:
        """Let the table be what the whole file makes it, and end the task with that.

        Raises:
            MixedTooLate: As `admit` does.
        """
        self._refuse_mixture(prepared.geometry_type)
        outline = VectorOutline(columns=prepared.columns, target_srid=prepared.target_srid)
        definition = self._definition(outline, prepared.geometry_type, prepared.rows_prepared + 1)
        self._declare()
        with self._context.transaction() as transaction:
            self._become(transaction, definition)
            transaction.complete(result)

    def _refuse_mixture(self, geometry_type: str) -> None:
        if (self.geometry_type or "").startswith("Multi") and geometry_type.startswith("Geometry"):
            raise MixedTooLate(f"{self.geometry_type} became {geometry_type}")

    def _declare(self) -> None:
        if self.geometry_type is None:
            self._context.stage_table(self.name)

    def _become(self, transaction: EffectTransaction, definition: NewTable) -> None:
        if self.geometry_type is not None:
            transaction.tables.revise(self.name, definition)
            return
        transaction.tables.create(self.name, definition)
        # What stands in the way is told before millions of rows are loaded.
        transaction.tables.rehearse(self.name, self._target, replace=self._replace)

    def _definition(self, outline: VectorOutline, geometry_type: str, first_free_id: int = 1) -> NewTable:
        return NewTable(
            columns=[_column(column) for column in outline.columns],
            geometry_type=geometry_type,
            srid=outline.target_srid,
            first_free_id=first_free_id,
            comment=self._comment,
        )


def load_chunk(transaction: EffectTransaction, table: TableName, chunk: Chunk) -> LoadedChunk:
    """Load a chunk in the place of what an earlier run left of it, and say what became of its rows."""
    began = time.monotonic()
    loaded = transaction.tables.load(table, chunk)
    return LoadedChunk(
        rows=loaded.rows,
        replaced=loaded.replaced,
        nbytes=chunk.path.stat().st_size,
        repaired=dict(loaded.repaired),
        dropped=[_dropped(one) for one in loaded.dropped],
        seconds=round(time.monotonic() - began, 3),
    )


def _dropped(one: tables.Dropped) -> Dropped:
    code = _CODES[one.reason]
    # The count stays out of the words: entries of several chunks are added up under the first message.
    message = code.title if one.reason == "empty" else f"{code.title}: {one.message}"
    return Dropped(
        code=code.code,
        message=message,
        count=one.count,
        feature_ids=list(one.feature_ids),
    )


def _column(column: ColumnDescription) -> TableColumn:
    kind = str(column.type)
    if column.precision is not None:
        kind = f"{kind}({column.precision},{column.scale or 0})"
    note = f" ({column.note})" if column.note else ""
    return TableColumn(column.name, kind, f"Source column: {column.source_name}{note}")
