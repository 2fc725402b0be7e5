"""Write prepared rows as Parquet files, each complete as soon as it has its name."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS

from core.json import dumps
from services.vector.models import FEATURE_ID_COLUMN, GEOMETRY_COLUMN, ChunkFile
from services.vector.native.fields import Column

# Uncompressed: large enough that a chunk's own cost does not show, small enough for a worker's memory.
_CHUNK_NBYTES: Final = 16 * 1024 * 1024
_MOST_ROWS: Final = 500_000


def chunk_schema(columns: list[Column], crs: CRS) -> pa.Schema:
    """Return the schema of every chunk, with the metadata of GeoParquet 1.1."""
    fields = [
        pa.field(GEOMETRY_COLUMN, pa.binary()),
        pa.field(FEATURE_ID_COLUMN, pa.int64(), nullable=False),
        *(pa.field(column.description.name, column.arrow) for column in columns),
    ]
    geo = {
        "version": "1.1.0",
        "primary_column": GEOMETRY_COLUMN,
        "columns": {
            GEOMETRY_COLUMN: {"encoding": "WKB", "geometry_types": [], "crs": crs.to_json_dict()},
        },
    }
    return pa.schema(fields, metadata={"geo": dumps(geo)})


class ChunkNames:
    """Numbers the chunks of a file in the order in which they are begun."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self) -> str:
        """Return the next name."""
        name = f"chunk_{self._next:05}.parquet"
        self._next += 1
        return name


class ChunkWriter:
    """Fills chunk after chunk; rows are written as they come and never held back.

    Args:
        directory: Where the files go.
        name: Gives the next file's name.
        schema: Of every batch.
        most_rows: Rows a chunk; None to go by size.
        describe: Makes the description of a finished file out of name, rows and size.
    """

    def __init__(
        self,
        directory: Path,
        name: Callable[[], str],
        schema: pa.Schema,
        most_rows: int | None,
        describe: Callable[[str, int, int], ChunkFile],
    ) -> None:
        self._directory = directory
        self._name = name
        self._schema = schema
        self._most_rows = most_rows or _MOST_ROWS
        self._most_nbytes = None if most_rows else _CHUNK_NBYTES
        self._describe = describe
        self._writer: pq.ParquetWriter | None = None
        self._current = ""
        self._rows = 0
        self._nbytes = 0
        self.files: list[ChunkFile] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows, beginning a new file wherever the last one is full."""
        while len(batch):
            room = self._most_rows - self._rows
            head, batch = batch.slice(0, room), batch.slice(room)
            self._open().write_batch(head)
            self._rows += len(head)
            self._nbytes += head.nbytes
            if self._is_full():
                self.finish()

    def finish(self) -> None:
        """Complete the file that is being written and give it its name."""
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        path = self._directory / self._current
        nbytes = self._unfinished(self._current).rename(path).stat().st_size
        self.files.append(self._describe(self._current, self._rows, nbytes))
        self._rows = self._nbytes = 0

    def _is_full(self) -> bool:
        too_large = self._most_nbytes is not None and self._nbytes >= self._most_nbytes
        return too_large or self._rows >= self._most_rows

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._current = self._name()
            self._writer = pq.ParquetWriter(
                self._unfinished(self._current),
                self._schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=False,
                write_statistics=False,
                store_schema=True,
            )
        return self._writer

    def _unfinished(self, name: str) -> Path:
        return self._directory / f"{name}.part"
