"""From prepared rows to chunks: attributes converted, times noted, files filled."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyproj import CRS

from services.vector.models import ChunkFile
from services.vector.native.chunks import ChunkNames, ChunkSize, ChunkWriter, chunk_schema
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

    def add(self, batch: Batch, prepared: PreparedRows, for_sql: PreparedRows, geometry_type: str) -> int:
        """Write the rows of a batch and return how many there are.

        Args:
            batch: What was read.
            prepared: Its rows of the fast path.
            for_sql: Its rows of the SQL path.
            geometry_type: The tightest modifier for all rows so far, these included.
        """
        for rows, writer in ((prepared, self.fast), (for_sql, self.for_sql)):
            written = self._record_batch(batch, rows)
            self.temporal.add(written)
            writer.write(written, geometry_type)
        return len(prepared.rows) + len(for_sql.rows)

    def finish(self, geometry_type: str, srid: int) -> list[ChunkFile]:
        """Complete the last files and return all of them, in order.

        In a table with measures, rows without one go the SQL path too: only PostGIS can add one.
        """
        self.fast.finish(geometry_type)
        self.for_sql.finish(geometry_type)
        fast = self.fast.files
        if geometry_type.endswith("M"):
            update = {"sql_path": True, "source_srid": srid, "source_crs": f"EPSG:{srid}"}
            fast = [chunk.model_copy(update=update) for chunk in fast]
        return sorted([*fast, *self.for_sql.files], key=lambda chunk: (len(chunk.name), chunk.name))

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
    size: ChunkSize,
    crs: tuple[CRS, CRS],
) -> Output:
    """Return an output of chunks in a directory.

    Args:
        directory: Where they go.
        columns: Of the table.
        temporal: Takes every row that is written.
        size: How large they become.
        crs: Of the file and of the table.
    """
    source, target = crs
    schema = chunk_schema(columns, target)
    raw = {"sql_path": True, "source_srid": source.to_epsg(), "source_crs": crs_name(source)}
    names = ChunkNames()
    fast = ChunkWriter(directory, names, schema, size)
    for_sql = ChunkWriter(directory, names, schema, size, raw)
    return Output(columns, schema, temporal, fast, for_sql)
