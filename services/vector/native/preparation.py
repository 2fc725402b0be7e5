"""Read a stranger's vector file and write it as chunks that can be loaded."""

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import TaskFailed
from core.isolation import Child
from services.findings import Findings
from services.vector.codes import EMPTY, GEOMETRIES_MISSING
from services.vector.datasets import Dataset, locate, workspace_file
from services.vector.models import ChunkFile, LayerSummary, PreparedVector, PrepareVector
from services.vector.native.chunks import ChunkNames, ChunkWriter, chunk_schema
from services.vector.native.crs import crs_name, parse_target, resolve_crs
from services.vector.native.drivers import only
from services.vector.native.fields import Column, make_columns
from services.vector.native.geometry import GeometryPipeline, PreparedRows
from services.vector.native.ledger import Ledger
from services.vector.native.readers import open_source
from services.vector.native.reprojection import Reprojection
from services.vector.native.source import Batch, Source
from services.vector.native.temporal import TemporalExtents

# The multihash of SHA-256: its number and its length.
_SHA256: Final = "1220"


def prepare_vector(request: PrepareVector, child: Child) -> PreparedVector:
    """Write the rows of a file as chunks in the workspace, and say everything about them.

    Raises:
        TaskFailed: The file cannot be published; see the code.
    """
    seconds = Seconds()
    child.progress(0.0, "opening the file")
    # Opened before anything is renamed, and read beside the work.
    path = workspace_file(child.workspace, request.path)
    with path.open("rb") as file, ThreadPoolExecutor(1) as beside:
        checksum = beside.submit(_checksum, file)
        with seconds.of("open"):
            dataset = locate(request, child.workspace)
        with only(dataset.driver), ExitStack() as opened:
            prepared = Preparation(request, dataset, child, seconds).run(opened)
        nbytes = os.fstat(file.fileno()).st_size
        return prepared.model_copy(update={"checksum": checksum.result(), "nbytes": nbytes})


class Preparation:
    """One file on its way into chunks.

    Args:
        request: What the caller wants.
        dataset: What was found.
        child: Where to write, and whom to tell.
        seconds: Time by phase.
    """

    def __init__(self, request: PrepareVector, dataset: Dataset, child: Child, seconds: "Seconds") -> None:
        self._request = request
        self._dataset = dataset
        self._child = child
        self._seconds = seconds
        self._ledger = Ledger()
        self._findings = Findings()

    def run(self, opened: ExitStack) -> PreparedVector:
        """Do it; `opened` closes at the end what readers left open."""
        with self._seconds.of("open"):
            target, srid = parse_target(self._request.target_crs)
            source = open_source(self._request, self._dataset, self._ledger, self._findings, opened)
            crs, crs_source = resolve_crs(source.crs, self._request.input_crs, self._findings)
            columns = make_columns(source.fields, self._findings)
        pipeline = GeometryPipeline(
            self._request.geometry,
            Reprojection(crs, target),
            self._ledger,
            is_flat=self._request.dimensions == "2d",
        )
        temporal = TemporalExtents(columns, self._request.temporal)
        schema = chunk_schema(columns, target)
        output = Output(self._child.workspace, schema, self._request.chunk_size, crs_name(crs), crs.to_epsg())
        for batch, prepared, for_sql in self._prepared(source, pipeline):
            with self._seconds.of("write"):
                for rows, writer in ((prepared, output.fast), (for_sql, output.for_sql)):
                    written = _record_batch(batch, rows, columns, schema)
                    temporal.add(written)
                    writer.write(written)
                    self._ledger.prepared += len(written)
            self._report(source)
        with self._seconds.of("write"):
            chunks = output.finish(has_measures=pipeline.types.typmod.endswith("M"), srid=srid)
        self._judge(pipeline, columns)
        return PreparedVector(
            driver=self._dataset.driver,
            layers=self._layers(source),
            source_crs=crs_name(crs),
            crs_source=crs_source,
            target_srid=srid,
            columns=[column.description for column in columns],
            geometry_type=pipeline.types.typmod,
            bbox=pipeline.extent.bbox(),
            footprint=pipeline.extent.footprint(),
            rows_read=self._ledger.read,
            rows_prepared=self._ledger.prepared,
            repaired=self._ledger.repaired,
            dropped=self._ledger.dropped(),
            findings=self._findings.items,
            chunks=chunks,
            temporal=temporal.result(),
            nbytes=0,
            checksum="",
            seconds=self._seconds.by_phase,
        )

    def _prepared(
        self, source: Source, pipeline: GeometryPipeline
    ) -> Iterator[tuple[Batch, PreparedRows, PreparedRows]]:
        batches = source.batches()
        while True:
            with self._seconds.of("read"):
                batch = next(batches, None)
            if batch is None:
                return
            with self._seconds.of("geometry"):
                prepared, for_sql = pipeline.run(batch)
            yield batch, prepared, for_sql

    def _report(self, source: Source) -> None:
        total = sum(layer.rows or 0 for layer in source.layers)
        fraction = self._ledger.read / total if total else 0.5
        self._child.progress(min(fraction, 0.99), f"{self._ledger.read:,} rows read")

    def _layers(self, source: Source) -> list[LayerSummary]:
        """Return the layers, where there is one with the number of rows that were really read."""
        if len(source.layers) > 1:
            return source.layers
        return [layer.model_copy(update={"rows": self._ledger.read}) for layer in source.layers]

    def _judge(self, pipeline: GeometryPipeline, columns: list[Column]) -> None:
        """Refuse what is not worth a table, once everything is known.

        Raises:
            TaskFailed: ``vector.empty``, ``vector.bad_rows``, ``vector.geometries_missing``.
        """
        self._ledger.close()
        if not self._ledger.read:
            raise TaskFailed(EMPTY, f"{self._dataset.path.name} has no rows", file=self._dataset.path.name)
        self._ledger.refuse_if_bad(self._request.converter.max_bad_rows_percent)
        if not pipeline.any_geometry:
            raise TaskFailed(
                GEOMETRIES_MISSING,
                f"none of the {self._ledger.read:,} features has a usable geometry",
                dropped=[reason.model_dump() for reason in self._ledger.dropped()],
            )
        for column in columns:
            column.report(self._findings)


class Output:
    """The chunks of both paths, numbered together.

    Args:
        directory: Where they go.
        schema: Of every chunk.
        chunk_size: Rows a chunk, or None.
        source_crs: Of geometries on the SQL path.
        source_srid: The same as a number, if it has one.
    """

    def __init__(
        self,
        directory: Path,
        schema: pa.Schema,
        chunk_size: int | None,
        source_crs: str,
        source_srid: int | None,
    ) -> None:
        def plain(name: str, rows: int, nbytes: int) -> ChunkFile:
            return ChunkFile(name=name, rows=rows, nbytes=nbytes)

        def raw(name: str, rows: int, nbytes: int) -> ChunkFile:
            return ChunkFile(
                name=name,
                rows=rows,
                nbytes=nbytes,
                sql_path=True,
                source_srid=source_srid,
                source_crs=source_crs,
            )

        names = ChunkNames()
        self.fast = ChunkWriter(directory, names, schema, chunk_size, plain)
        self.for_sql = ChunkWriter(directory, names, schema, chunk_size, raw)

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


class Seconds:
    """Adds up time by phase."""

    def __init__(self) -> None:
        self.by_phase: dict[str, float] = {}

    @contextmanager
    def of(self, phase: str) -> Iterator[None]:
        """Count the time within as that of `phase`."""
        start = time.monotonic()
        try:
            yield
        finally:
            passed = self.by_phase.get(phase, 0.0) + time.monotonic() - start
            self.by_phase[phase] = round(passed, 6)


def _record_batch(
    batch: Batch, prepared: PreparedRows, columns: list[Column], schema: pa.Schema
) -> pa.RecordBatch:
    every = len(prepared.rows) == len(batch.fids)
    rows = None if every else pa.array(prepared.rows)
    taken = batch.attributes if rows is None else [pc.take(values, rows) for values in batch.attributes]
    fids: NDArray[np.int64] = batch.fids if rows is None else batch.fids[prepared.rows]
    arrays = [prepared.wkb, pa.array(fids)]
    arrays += [column.convert(values) for column, values in zip(columns, taken, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _checksum(file: BufferedReader) -> str:
    return _SHA256 + hashlib.file_digest(file, "sha256").hexdigest()
