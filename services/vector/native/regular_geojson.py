"""GeoJSON of the plain kind, read without OGR, by as many processes as there are processors.

Plain are features with a geometry, with properties that are texts, numbers and booleans, and with
nothing else. They are parsed once and laid aside as Arrow; a small file with samples of everything
that was seen then tells what OGR makes of it: names, order and types of the columns, and the CRS.
Whatever is not plain is left to OGR altogether, so that both ways give the same.
"""

import gc
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from core.errors import TaskFailed
from services.findings import Findings
from services.vector.datasets import Dataset
from services.vector.models import LayerSummary
from services.vector.native.crs import OwnCrs
from services.vector.native.geojson_blocks import Block, FeatureBlocks, IrregularError
from services.vector.native.geojson_columns import Properties
from services.vector.native.geojson_shapes import as_wkb
from services.vector.native.ledger import Ledger
from services.vector.native.ogr import OgrSource
from services.vector.native.source import Batch, Field

_GEOMETRY: Final = "geometry"
_MEMBERS: Final = {"type", "properties", _GEOMETRY}
_PROCESSES: Final = 2
# Blocks that are cut before the first of them has been parsed.
_AHEAD: Final = 2 * _PROCESSES
# What is no feature of this kind shows in one of these ways.
_STRANGE: Final = (
    IrregularError,
    TaskFailed,
    BrokenProcessPool,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    pa.ArrowException,
)


def read_regular(dataset: Dataset, ledger: Ledger, findings: Findings) -> "RegularGeoJson | None":
    """Return a source of the file's rows, or None if it is not of the plain kind."""
    parsed = _Parsed(dataset)
    try:
        parsed.read()
        return RegularGeoJson(parsed, ledger, findings)
    except _STRANGE:
        parsed.forget()
        return None


@dataclass(frozen=True)
class _Seen:
    """What a block holds.

    Args:
        rows: Number of its features.
        shapes: A geometry of each type.
        file: Where its rows lie.
    """

    rows: int
    shapes: dict[str, Any]
    properties: Properties
    file: Path


class _Parsed:
    """A file's features on this disk, as Arrow.

    Args:
        dataset: The file.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._path = dataset.path
        self._driver = dataset.driver
        self._blocks = FeatureBlocks(dataset.path, is_sequence=dataset.driver == "GeoJSONSeq")
        self._shapes: dict[str, Any] = {}
        self.name = dataset.path.stem
        self.properties = Properties()
        self.files: list[Path] = []
        self.rows = 0

    def read(self) -> None:
        """Parse the whole file; what is small is parsed here."""
        blocks = iter(self._blocks)
        first = list(islice(blocks, _PROCESSES))
        for seen in (
            self._in_processes(chain(first, blocks)) if len(first) == _PROCESSES else self._here(first)
        ):
            self.files.append(seen.file)
            self.rows += seen.rows
            self._shapes = seen.shapes | self._shapes
            self.properties.add(seen.properties)
        if not self.rows:
            raise IrregularError("no features")

    def forget(self) -> None:
        """Remove what was laid aside."""
        for path in self._path.parent.glob("features_*.arrow"):
            path.unlink(missing_ok=True)

    def sample(self) -> Dataset:
        """Write a file of which OGR makes the same columns as of the whole."""
        properties = list(self.properties.samples())
        shapes = list(self._shapes.values()) or [None]
        features = [
            {
                "type": "Feature",
                "properties": properties[place % len(properties)],
                _GEOMETRY: shapes[place % len(shapes)],
            }
            for place in range(max(len(properties), len(shapes)))
        ]
        path = self._path.with_name(f"sample_{self._path.name}")
        path.write_bytes(self._blocks.around(features))
        return Dataset(path, self._driver)

    def _here(self, blocks: Iterable[Block]) -> Iterator[_Seen]:
        for block in blocks:
            yield _lay_aside(self._blocks, block, self._file(block))

    def _in_processes(self, blocks: Iterable[Block]) -> Iterator[_Seen]:
        """Yield in order what processes made of the blocks; they end with this one's group."""
        waiting: deque[Future[_Seen]] = deque()
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(_PROCESSES, mp_context=fork, initializer=gc.disable) as pool:
            try:
                for block in blocks:
                    waiting.append(pool.submit(_lay_aside, self._blocks, block, self._file(block)))
                    if len(waiting) > _AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _file(self, block: Block) -> Path:
        return self._path.with_name(f"features_{block.start}.arrow")


def _lay_aside(blocks: FeatureBlocks, block: Block, path: Path) -> _Seen:
    """Parse a block and write its rows.

    Millions of lists that hold no cycles are better not walked by the collector, which is off here.
    """
    features = blocks.parsed(block)
    if any(each.keys() != _MEMBERS or each["type"] != "Feature" for each in features):
        raise IrregularError("a feature with other members")
    wkb, shapes = as_wkb([each[_GEOMETRY] for each in features])
    properties = Properties()
    columns = properties.take([each["properties"] for each in features])
    batch = pa.RecordBatch.from_arrays([wkb, *columns.values()], names=[_GEOMETRY, *columns])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)
    return _Seen(len(features), shapes, properties, path)


class RegularGeoJson:
    """`services.vector.native.source.Source` for GeoJSON that is plain throughout.

    Args:
        parsed: Its features.
        ledger: Gets the rows that are read.
        findings: Gets what OGR says of the sample.
    """

    def __init__(self, parsed: _Parsed, ledger: Ledger, findings: Findings) -> None:
        self._parsed = parsed
        self._ledger = ledger
        said = Findings()
        with ExitStack() as opened:
            ogr = OgrSource(parsed.sample(), Ledger(), said, opened)
            self._fields, self._crs = ogr.fields, ogr.crs
            [self._layer] = ogr.layers
        self._check_fields()
        findings.items.extend(said.items)

    @property
    def layers(self) -> list[LayerSummary]:
        """Return the one layer that a GeoJSON file is."""
        return [self._layer.model_copy(update={"name": self._parsed.name, "rows": self._parsed.rows})]

    @property
    def fields(self) -> list[Field]:
        """Return the attributes."""
        return self._fields

    @property
    def crs(self) -> OwnCrs:
        """Return the CRS."""
        return self._crs

    def batches(self) -> Iterator[Batch]:
        """Read what was laid aside, and remove it."""
        for path in self._parsed.files:
            with pa.OSFile(str(path)) as file:
                rows = pa.ipc.open_file(file).get_batch(0)
            path.unlink()
            first, self._ledger.read = self._ledger.read, self._ledger.read + len(rows)
            places = {name: place for place, name in enumerate(rows.schema.names[1:], 1)}
            attributes = [_column(rows, places.get(field.name), field) for field in self._fields]
            yield Batch(np.arange(first, self._ledger.read, dtype=np.int64), rows.column(0), attributes)

    def _check_fields(self) -> None:
        by_name = self._parsed.properties.by_name
        if {each.name for each in self._fields} != by_name.keys():
            raise IrregularError("columns that are no properties")
        for each in self._fields:
            if each.is_json or each.type not in by_name[each.name].types:
                raise IrregularError(f"{each.name!r} becomes {each.type}")


def _column(rows: pa.RecordBatch, place: int | None, field: Field) -> pa.Array:
    return pa.nulls(len(rows), field.type) if place is None else rows.column(place).cast(field.type)
