"""From prepared rows to chunks: attributes converted, times noted, files filled."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyproj import CRS

from services.vector.models import ChunkFile
from services.vector.native.chunks import ChunkNames, ChunkWriter, chunk_schema
from services.vector.native.crs import crs_name
from services.vector.native.fields import Column
from services.vector.native.geometry import PreparedRows
from services.vector.native.source import Batch
from services.vector.native.temporal import TemporalExtents


@dataclass(frozen=True)
class Output:
    """The chunks of both paths, numbered together.

    Args:
        columns: Of the table.
        schema: Of every chunk.
        temporal: Takes every row that is written.
        fast: Chunks that can be loaded as they are.
        for_sql: Chunks that PostGIS has to work on.
    """

    columns: list[Column]
    schema: pa.Schema
    temporal: TemporalExtents
    fast: ChunkWriter
    for_sql: ChunkWriter

    def add(self, batch: Batch, prepared: PreparedRows, for_sql: PreparedRows) -> int:
        """Write the rows of a batch and return how many there are."""
        for rows, writer in ((prepared, self.fast), (for_sql, self.for_sql)):
            written = self._record_batch(batch, rows)
            self.temporal.add(written)
            writer.write(written)
        return len(prepared.rows) + len(for_sql.rows)

    def finish(self, *, has_measures: bool, srid: int) -> list[ChunkFile]:
        """Complete the last files and return all of them, in order.

        In a table with measures, rows without one go the SQL path too: only PostGIS can add one.
        """
        self.fast.finish()
        self.for_sql.finish()
        fast = self.fast.files
        if has_measures:
            update = {"sql_path": True, "source_srid": srid, "source_crs": f"EPSG:{srid}"}
            fast = [chunk.model_copy(update=update) for chunk in fast]
        return sorted([*fast, *self.for_sql.files], key=lambda chunk: chunk.name)

    def _record_batch(self, batch: Batch, prepared: PreparedRows) -> pa.RecordBatch:
        every = len(prepared.rows) == len(batch.fids)
        rows = pa.array(prepared.rows)
        attributes = batch.attributes if every else [pc.take(values, rows) for values in batch.attributes]
        fids: NDArray[np.int64] = batch.fids if every else batch.fids[prepared.rows]
        converted = [column.convert(values) for column, values in zip(self.columns, attributes, strict=True)]
        return pa.RecordBatch.from_arrays([prepared.wkb, pa.array(fids), *converted], schema=self.schema)


def make_output(
    directory: Path,
    columns: list[Column],
    temporal: TemporalExtents,
    chunk_size: int | None,
    crs: tuple[CRS, CRS],
) -> Output:
    """Return an output of chunks in a directory.

    Args:
        directory: Where they go.
        columns: Of the table.
        temporal: Takes every row that is written.
        chunk_size: Rows a chunk, or None.
        crs: Of the file and of the table.
    """
    source, target = crs
    schema = chunk_schema(columns, target)
    raw = {"sql_path": True, "source_srid": source.to_epsg(), "source_crs": crs_name(source)}

    def described(name: str, rows: int, nbytes: int) -> ChunkFile:
        return ChunkFile(name=name, rows=rows, nbytes=nbytes)

    def described_raw(name: str, rows: int, nbytes: int) -> ChunkFile:
        return described(name, rows, nbytes).model_copy(update=raw)

    names = ChunkNames()
    fast = ChunkWriter(directory, names, schema, chunk_size, described)
    for_sql = ChunkWriter(directory, names, schema, chunk_size, described_raw)
    return Output(columns, schema, temporal, fast, for_sql)
