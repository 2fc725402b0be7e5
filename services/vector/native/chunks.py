"""Write prepared rows as Parquet files, each complete as soon as it has its name."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS

from core.json import JsonObject, dumps
from services.vector.models import (
    FEATURE_ID_COLUMN,
    FOOTER_KEY,
    GEOMETRY_COLUMN,
    OUTLINE,
    ChunkFile,
    ChunkFooter,
    PrepareVector,
    VectorOutline,
)
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


def write_outline(directory: Path, outline: VectorOutline) -> None:
    """Say what all chunks will have in common, before the first of them is there."""
    unfinished = directory / f"{OUTLINE}.part"
    unfinished.write_text(outline.model_dump_json(), encoding="utf-8")
    unfinished.rename(directory / OUTLINE)


@dataclass(frozen=True)
class ChunkSize:
    """How large chunks become.

    Args:
        most_rows: Rows a chunk.
        most_nbytes: Bytes a chunk, uncompressed, but for the batch with which it is reached.
        compression: Of Parquet.
    """

    most_rows: int
    most_nbytes: float
    compression: str

    @classmethod
    def of(cls, request: PrepareVector) -> "ChunkSize":
        """Return what a caller wants: so many rows, or what is easy to load."""
        if request.chunk_size is None:
            return cls(_MOST_ROWS, _CHUNK_NBYTES, request.compression)
        return cls(request.chunk_size, inf, request.compression)


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
        size: How large they become, and how they are compressed.
        described: What `ChunkFile` says of all of them alike.
    """

    def __init__(
        self,
        directory: Path,
        name: Callable[[], str],
        schema: pa.Schema,
        size: ChunkSize,
        described: JsonObject | None = None,
    ) -> None:
        self._directory = directory
        self._name = name
        self._schema = schema
        self._size = size
        self._described = described or {}
        self._writer: pq.ParquetWriter | None = None
        self._current = ""
        self._rows = 0
        self._nbytes = 0
        self.files: list[ChunkFile] = []

    def write(self, batch: pa.RecordBatch, geometry_type: str) -> None:
        """Add rows, beginning a new file wherever the last one is full.

        Args:
            batch: The rows.
            geometry_type: The tightest modifier for all rows so far, these included.
        """
        while len(batch):
            room = self._size.most_rows - self._rows
            head, batch = batch.slice(0, room), batch.slice(room)
            self._open().write_batch(head)
            self._rows += len(head)
            self._nbytes += head.nbytes
            if self._nbytes >= self._size.most_nbytes or self._rows >= self._size.most_rows:
                self.finish(geometry_type)

    def finish(self, geometry_type: str) -> None:
        """Complete the file that is being written and give it its name."""
        if self._writer is None:
            return
        sql_path = bool(self._described.get("sql_path"))
        footer = ChunkFooter(geometry_type=geometry_type, sql_path=sql_path)
        self._writer.add_key_value_metadata({FOOTER_KEY: footer.model_dump_json()})
        self._writer.close()
        self._writer = None
        unfinished = self._unfinished(self._current)
        # As soon as it has its name it may be taken away.
        nbytes = unfinished.stat().st_size
        unfinished.rename(self._directory / self._current)
        described = {"name": self._current, "rows": self._rows, "nbytes": nbytes, **self._described}
        self.files.append(ChunkFile.model_validate(described))
        self._rows = self._nbytes = 0

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._current = self._name()
            self._writer = pq.ParquetWriter(
                self._unfinished(self._current),
                self._schema,
                compression=self._size.compression,
                compression_level=1 if self._size.compression == "zstd" else None,
                use_dictionary=False,
                write_statistics=False,
                store_schema=True,
            )
        return self._writer

    def _unfinished(self, name: str) -> Path:
        return self._directory / f"{name}.part"
