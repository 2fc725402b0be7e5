"""Read a stranger's vector file and write it as chunks that can be loaded."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from pyproj import CRS

from core.checksums import multihash_of
from core.errors import TaskFailed
from core.isolation import Child
from services.findings import Findings
from services.vector.codes import EMPTY, EXTENT_SUSPICIOUS, GEOMETRIES_MISSING
from services.vector.datasets import Dataset, locate, workspace_file
from services.vector.index_columns import find_columns
from services.vector.models import (
    ChunkFile,
    CrsSource,
    LayerSummary,
    PreparedVector,
    PrepareVector,
    VectorOutline,
)
from services.vector.native.chunks import ChunkSize, write_outline
from services.vector.native.crs import crs_name, lies_outside, parse_target, resolve_crs
from services.vector.native.drivers import only
from services.vector.native.fields import Column, make_columns
from services.vector.native.geometry import GeometryPipeline, Looked, PreparedRows
from services.vector.native.ledger import Ledger
from services.vector.native.output import Output, make_output
from services.vector.native.readers import open_source
from services.vector.native.reprojection import Reprojection
from services.vector.native.source import Batch, Source
from services.vector.native.temporal import TemporalExtents
from services.vector.seconds import Seconds

# Batches that are looked at side by side: what a small worker has processors for.
_LOOKING: Final = 2


def prepare_vector(request: PrepareVector, child: Child) -> PreparedVector:
    """Write the rows of a file as chunks in the workspace, and say everything about them.

    Raises:
        TaskFailed: The file cannot be published; see the code.
    """
    seconds = Seconds()
    child.progress(0.0, "opening the file")
    path = workspace_file(child.workspace, request.path)
    # Opened before anything is renamed, and read beside the work.
    with path.open("rb") as file, ThreadPoolExecutor(1) as beside:
        checksum = beside.submit(multihash_of, file)
        with seconds.of("open"):
            dataset = locate(request, child.workspace)
        with only(dataset.driver), ExitStack() as opened:
            prepared = Preparation(request, dataset, child, seconds).run(opened)
        nbytes = os.fstat(file.fileno()).st_size
        return prepared.model_copy(update={"checksum": checksum.result(), "nbytes": nbytes})


@dataclass(frozen=True)
class _Parts:
    """What works on a file, made once its fields and its CRS are known."""

    source: Source
    crs: CRS
    crs_source: CrsSource
    srid: int
    columns: list[Column]
    pipeline: GeometryPipeline
    temporal: TemporalExtents
    output: Output


class Preparation:
    """One file on its way into chunks.

    Args:
        request: What the caller wants.
        dataset: What was found.
        child: Where to write, and whom to tell.
        seconds: Time by phase.
    """

    def __init__(self, request: PrepareVector, dataset: Dataset, child: Child, seconds: Seconds) -> None:
        self._request = request
        self._dataset = dataset
        self._child = child
        self._seconds = seconds
        self._ledger = Ledger()
        self._findings = Findings()

    def run(self, opened: ExitStack) -> PreparedVector:
        """Do it; `opened` closes at the end what readers left open."""
        with self._seconds.of("open"):
            parts = self._parts(opened)
        self._write_rows(parts)
        with self._seconds.of("write"):
            chunks = parts.output.finish(parts.pipeline.types.typmod, parts.srid)
        self._judge(parts)
        return self._result(parts, chunks)

    def _parts(self, opened: ExitStack) -> _Parts:
        request = self._request
        target, srid = parse_target(request.target_crs)
        source = open_source(request, self._dataset, self._ledger, self._findings, opened)
        crs, crs_source = resolve_crs(source.crs, request.input_crs, self._findings)
        columns = make_columns(source.fields, self._findings)
        indexes = find_columns([column.description for column in columns], request.indexes)
        temporal = TemporalExtents(columns, indexes.temporal)
        pipeline = GeometryPipeline(
            request.geometry, Reprojection(crs, target), self._ledger, is_flat=request.dimensions == "2d"
        )
        size = ChunkSize.of(request)
        output = make_output(self._child.workspace, columns, temporal, size, (crs, target))
        outline = VectorOutline(columns=[column.description for column in columns], target_srid=srid)
        write_outline(self._child.workspace, outline)
        return _Parts(source, crs, crs_source, srid, columns, pipeline, temporal, output)

    def _write_rows(self, parts: _Parts) -> None:
        """Prepare batch after batch while the one before is being written."""
        with ThreadPoolExecutor(1) as beside:
            writing: Future[int] | None = None
            for batch, prepared, for_sql in self._prepared(parts):
                self._note_written(writing)
                kind = parts.pipeline.types.typmod
                writing = beside.submit(self._write, parts.output, batch, prepared, for_sql, kind)
                self._report(parts.source)
            self._note_written(writing)

    def _prepared(self, parts: _Parts) -> Iterator[tuple[Batch, PreparedRows, PreparedRows]]:
        """Look at batches in threads while the next ones are read, and go on with each in its turn."""
        looking: deque[tuple[Batch, Future[Looked]]] = deque()
        with ThreadPoolExecutor(_LOOKING) as beside:
            for batch in self._read(parts.source):
                looking.append((batch, beside.submit(self._look, parts.pipeline, batch)))
                if len(looking) > _LOOKING:
                    yield self._finished(parts.pipeline, *looking.popleft())
            while looking:
                yield self._finished(parts.pipeline, *looking.popleft())

    def _read(self, source: Source) -> Iterator[Batch]:
        batches = source.batches()
        while True:
            with self._seconds.of("read"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _look(self, pipeline: GeometryPipeline, batch: Batch) -> Looked:
        with self._seconds.of("geometry"):
            return pipeline.look(batch)

    def _finished(
        self, pipeline: GeometryPipeline, batch: Batch, looked: Future[Looked]
    ) -> tuple[Batch, PreparedRows, PreparedRows]:
        known = looked.result()
        with self._seconds.of("geometry"):
            return batch, *pipeline.run(batch, known)

    def _write(
        self, output: Output, batch: Batch, prepared: PreparedRows, for_sql: PreparedRows, kind: str
    ) -> int:
        with self._seconds.of("write"):
            return output.add(batch, prepared, for_sql, kind)

    def _note_written(self, writing: Future[int] | None) -> None:
        if writing is not None:
            self._ledger.prepared += writing.result()

    def _report(self, source: Source) -> None:
        total = sum(layer.rows or 0 for layer in source.layers)
        fraction = self._ledger.read / total if total else 0.5
        self._child.progress(min(fraction, 0.99), f"{self._ledger.read:,} rows read")

    def _judge(self, parts: _Parts) -> None:
        """Refuse what is not worth a table, once everything is known, and say what was odd.

        Raises:
            TaskFailed: ``vector.empty``, ``vector.bad_rows``, ``vector.geometries_missing``.
        """
        self._ledger.close()
        if not self._ledger.read:
            raise TaskFailed(EMPTY, f"{self._dataset.path.name} has no rows", file=self._dataset.path.name)
        self._ledger.refuse_if_bad(self._request.converter.max_bad_rows_percent)
        if not parts.pipeline.any_geometry:
            raise TaskFailed(
                GEOMETRIES_MISSING,
                f"none of the {self._ledger.read:,} features has a usable geometry",
                dropped=[reason.model_dump() for reason in self._ledger.dropped()],
            )
        for column in parts.columns:
            column.report(self._findings)
        bbox = parts.pipeline.extent.bbox()
        if bbox is not None and (words := lies_outside(parts.crs, bbox)):
            self._findings.add("warning", EXTENT_SUSPICIOUS, words)

    def _result(self, parts: _Parts, chunks: list[ChunkFile]) -> PreparedVector:
        pipeline = parts.pipeline
        return PreparedVector(
            driver=self._dataset.driver,
            layers=self._layers(parts.source),
            source_crs=crs_name(parts.crs),
            crs_source=parts.crs_source,
            target_srid=parts.srid,
            columns=[column.description for column in parts.columns],
            geometry_type=pipeline.types.typmod,
            bbox=pipeline.extent.bbox(),
            footprint=pipeline.extent.footprint(),
            rows_read=self._ledger.read,
            rows_prepared=self._ledger.prepared,
            repaired=self._ledger.repaired,
            dropped=self._ledger.dropped(),
            findings=self._findings.items,
            chunks=chunks,
            temporal=parts.temporal.result(),
            nbytes=0,
            checksum="",
            seconds=self._seconds.by_phase,
        )

    def _layers(self, source: Source) -> list[LayerSummary]:
        """Return the layers, where there is one with the number of rows that were really read."""
        if len(source.layers) > 1:
            return source.layers
        return [layer.model_copy(update={"rows": self._ledger.read}) for layer in source.layers]
