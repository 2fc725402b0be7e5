"""Read GeoParquet with Arrow, row group by row group."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import TaskFailed
from core.json import JsonObject
from services.findings import Findings
from services.vector.codes import NOT_SPATIAL, READER_WARNING, UNREADABLE, UNSUPPORTED_FORMAT
from services.vector.datasets import Dataset
from services.vector.models import LayerSummary
from services.vector.native.crs import OwnCrs
from services.vector.native.ledger import Ledger
from services.vector.native.source import Batch, Field

_CELLS: Final = 2_000_000
_MOST_ROWS: Final = 50_000
_BATCH_NBYTES: Final = 16 * 1024 * 1024
# What a file without the key means, by the standard.
_DEFAULT_CRS: Final = "OGC:CRS84"


class ParquetSource:
    """`services.vector.native.source.Source` for GeoParquet.

    Args:
        dataset: What to open.
        ledger: Gets the rows that are read.
        findings: Gets what was left out.
        opened: Closes the file at the end.
    """

    def __init__(self, dataset: Dataset, ledger: Ledger, findings: Findings, opened: ExitStack) -> None:
        self._dataset = dataset
        self._ledger = ledger
        self._file = opened.enter_context(self._open())
        self._geometry, self._column = self._primary_column()
        derived = self._derived()
        if derived:
            message = f"columns of bounding boxes are left out: {', '.join(sorted(derived))}"
            findings.add("info", READER_WARNING, message)
        self._names = [
            each.name for each in self._file.schema_arrow if each.name not in {self._geometry, *derived}
        ]

    @property
    def layers(self) -> list[LayerSummary]:
        """Return the one layer that a GeoParquet file is."""
        kinds = self._column.get("geometry_types") or []
        kind = kinds[0] if len(kinds) == 1 else "Unknown"
        rows = self._file.metadata.num_rows
        return [LayerSummary(name=self._dataset.path.stem, geometry_type=kind, rows=rows)]

    @property
    def fields(self) -> list[Field]:
        """Return the attributes."""
        return [Field(name, self._file.schema_arrow.field(name).type) for name in self._names]

    @property
    def crs(self) -> OwnCrs:
        """Return the CRS; longitude and latitude where the file has no key for it."""
        if "crs" not in self._column:
            return OwnCrs(_DEFAULT_CRS, "format")
        crs = self._column["crs"]
        return OwnCrs(json.dumps(crs) if isinstance(crs, dict) else crs)

    def batches(self) -> Iterator[Batch]:
        """Read the row groups one after the other."""
        done = 0
        columns = [self._geometry, *self._names]
        batches = self._file.iter_batches(batch_size=self._batch_rows(), columns=columns, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                raise self._unreadable(error) from error
            if batch is None:
                return
            self._ledger.read += len(batch)
            yield self._as_batch(batch, done)
            done += len(batch)

    def _as_batch(self, batch: pa.RecordBatch, done: int) -> Batch:
        geometries = batch.column(self._geometry)
        if isinstance(geometries.type, pa.BaseExtensionType):
            geometries = geometries.storage
        return Batch(
            fids=np.arange(done + 1, done + len(batch) + 1),
            geometries=geometries.cast(pa.binary()),
            attributes=[batch.column(name) for name in self._names],
        )

    def _open(self) -> Any:
        try:
            return pq.ParquetFile(self._dataset.path)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def _batch_rows(self) -> int:
        """Return rows a batch, fewer where they are large."""
        metadata = self._file.metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        rows = max(1, sum(group.num_rows for group in groups))
        nbytes = max(1, sum(group.total_byte_size for group in groups) // rows)
        return int(max(1, min(_MOST_ROWS, _BATCH_NBYTES // nbytes, _CELLS // (len(self._names) + 1))))

    def _primary_column(self) -> tuple[str, JsonObject]:
        """Return the geometry column and what the metadata say of it.

        Raises:
            TaskFailed: ``vector.not_spatial``, ``vector.unsupported_format``.
        """
        try:
            geo = json.loads((self._file.schema_arrow.metadata or {}).get(b"geo", b"null"))
            column = geo["columns"][geo["primary_column"]] if geo else {}
            name = geo["primary_column"] if geo else ""
        except (ValueError, KeyError, TypeError) as error:
            raise self._unreadable(error) from error
        if not geo or name not in self._file.schema_arrow.names:
            raise TaskFailed(NOT_SPATIAL, f"{self._dataset.path.name} has no GeoParquet metadata")
        encoding = str(column.get("encoding", "WKB"))
        if encoding.upper() != "WKB":
            raise TaskFailed(
                UNSUPPORTED_FORMAT,
                f"{self._dataset.path.name} has its geometries as {encoding[:40]}, not as WKB",
                found=encoding[:40],
            )
        return name, column

    def _derived(self) -> set[str]:
        """Return the columns that repeat the boxes of geometries for readers that filter."""
        covering = self._column.get("covering")
        box = covering.get("bbox") if isinstance(covering, dict) else None
        if not isinstance(box, dict):
            return set()
        paths = [path for path in box.values() if isinstance(path, list) and path]
        return {str(path[0]) for path in paths}

    def _unreadable(self, error: Exception) -> TaskFailed:
        name = self._dataset.path.name
        reason = " ".join(str(error).replace(f"{self._dataset.path.parent}/", "").split())[:300]
        return TaskFailed(UNREADABLE, f"{name}: {reason}", file=name, driver="Parquet")
