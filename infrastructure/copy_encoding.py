"""Rows of a Parquet file in the form that PostgreSQL's binary COPY takes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pgpq
import pyarrow as pa
import pyarrow.parquet as pq
from pgpq.encoders import StringEncoderBuilder
from pgpq.schema import Jsonb

GEOMETRY = "geom"
# Encoded at once, so that it stays near the processor; one row may be larger.
_BATCH_BYTES = 1024 * 1024
_MOST_ROWS = 50_000


@dataclass(frozen=True)
class CopySource:
    """A Parquet file on its way into a table.

    Args:
        path: The file.
        columns: Which of its columns go into the table, in order.
        types: PostgreSQL's type of each, by name.
        first_id: Value of the column ``id`` in the first row; it counts up.
        conform: Makes the WKB of the column ``geom`` fit.
    """

    path: Path
    columns: Sequence[str]
    types: Mapping[str, str]
    first_id: int
    conform: Callable[[Any], Any] | None = None

    def messages(self) -> Iterator[bytes]:
        """Yield the stream in pieces of bounded size, but for rows that are larger."""
        with pq.ParquetFile(self.path) as file:
            fields = [_field(file.schema_arrow.field(name)) for name in self.columns]
            schema = pa.schema([pa.field("id", pa.int64(), nullable=False), *fields])
            encoders = {field.name: self._encoder(field) for field in schema}
            encoder = pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(schema, encoders)
            yield encoder.write_header()
            next_id, rows = self.first_id, _batch_rows(file)
            # Handing columns to threads costs more than decoding so few rows.
            for batch in file.iter_batches(rows, columns=list(self.columns), use_threads=False):
                ids = pa.array(range(next_id, next_id + batch.num_rows), pa.int64())
                arrays = [ids, *(self._values(batch, field) for field in fields)]
                yield encoder.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
                next_id += batch.num_rows
            yield encoder.finish()

    def _values(self, batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
        values = batch.column(field.name).cast(field.type)
        return self.conform(values) if self.conform is not None and field.name == GEOMETRY else values

    def _encoder(self, field: pa.Field) -> Any:
        # JSON travels as text; the stream needs the version byte that jsonb begins with.
        if self.types.get(field.name) == "jsonb":
            return StringEncoderBuilder.new_with_output(field, Jsonb())
        return pgpq.ArrowToPostgresBinaryEncoder.infer_encoder(field)


@dataclass(frozen=True)
class FileShape:
    """What a Parquet file has.

    Args:
        rows: How many rows.
        as_text: Columns that can only be sent as text, for the server to cast.
    """

    rows: int
    as_text: frozenset[str]

    @classmethod
    def of(cls, path: Path) -> "FileShape":
        """Read it from the file's footer."""
        with pq.ParquetFile(path) as file:
            wide = (field.name for field in file.schema_arrow if pa.types.is_decimal256(field.type))
            return cls(file.metadata.num_rows, frozenset(wide))


def _field(field: pa.Field) -> pa.Field:
    # The encoder knows no numbers of more than 38 digits.
    kind = pa.string() if pa.types.is_decimal256(field.type) else field.type
    return pa.field(field.name, kind)


def _batch_rows(file: pq.ParquetFile) -> int:
    metadata = file.metadata
    groups = (metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
    per_row: int = max(1, sum(groups) // max(1, metadata.num_rows))
    return max(1, min(_MOST_ROWS, _BATCH_BYTES // per_row))
