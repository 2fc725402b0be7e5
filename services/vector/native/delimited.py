"""Read CSV with Arrow, ten times as fast as OGR does, in two passes: types first, then rows."""

from array import array
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import shapely
from numpy.typing import NDArray

from core.errors import TaskFailed
from core.vector_options import ConverterOptions
from services.findings import Findings
from services.vector.codes import (
    COLUMN_TYPE_WIDENED,
    COORDINATES_MALFORMED,
    CRS_ASSUMED,
    EMPTY,
    GEOMETRY_MALFORMED,
    ROW_MALFORMED,
    UNREADABLE,
)
from services.vector.datasets import Dataset
from services.vector.delimited import Coordinates, Layout, coordinates_of, layout_of
from services.vector.models import LayerSummary
from services.vector.native.crs import OwnCrs
from services.vector.native.inference import NO_VALUE, TypeGuess, as_type
from services.vector.native.ledger import Ledger
from services.vector.native.points import point_wkb
from services.vector.native.source import Batch, Field
from services.vector.native.wkt import parse_text
from services.vector.text_encoding import encoding_of
from services.vector.wkb import headers

_BLOCK_NBYTES: Final = 4 * 1024 * 1024
_EXAMPLES: Final = 10
_MOST_DEGREES: Final = (180.0, 90.0)
# Text that may name an SRID: EWKT, and hex.
_MAYBE_SRID: Final = r"(?i:SRID)|\b0[01][0-9A-Fa-f]{8}"
# WKT that may lie outside of degrees: a first number of 180 or more, a second one of 90 or more, or
# numbers in another notation. All other WKT need not be parsed to be sure.
_MAYBE_BEYOND: Final = (
    r"[(,]\s*[-+]?0*(1[89]\d|[2-9]\d\d|\d{4})"
    r"|[(,]\s*[-+]?[\d.]+\s+[-+]?0*(9\d|\d{3})"
    r"|[\d.][eE]|(?i:inf)"
)


class DelimitedSource:
    """`services.vector.native.source.Source` for CSV.

    Args:
        dataset: What to open.
        options: What the caller says of it.
        ledger: Gets the rows that are read, and those that cannot be.
        findings: Gets what was assumed.
    """

    def __init__(
        self, dataset: Dataset, options: ConverterOptions, ledger: Ledger, findings: Findings
    ) -> None:
        self._dataset = dataset
        self._ledger = ledger
        self._findings = findings
        encoding = encoding_of(dataset.path, options.encoding, findings)
        self._layout = layout_of(dataset.path, encoding, options)
        self._coordinates = coordinates_of(self._layout, options)
        self._look = _FirstPass(self._layout, self._coordinates)
        for batch in _Reader(dataset, self._layout):
            self._look.take(batch)
        if not self._look.rows:
            raise TaskFailed(EMPTY, f"{dataset.path.name} has a header and no rows", file=dataset.path.name)
        self._attributes = [name for name in self._layout.names if name != self._coordinates.text]
        self._fields = [self._field(name) for name in self._attributes]
        self._crs = self._own_crs()

    @property
    def layers(self) -> list[LayerSummary]:
        """Return the one layer that a CSV file is."""
        kind = "Unknown" if self._coordinates.text else "Point"
        return [LayerSummary(name=self._dataset.path.stem, geometry_type=kind, rows=self._look.rows)]

    @property
    def fields(self) -> list[Field]:
        """Return every column but that of WKT."""
        return self._fields

    @property
    def crs(self) -> OwnCrs:
        """Return what the file says, or what its values suggest."""
        return self._crs

    def batches(self) -> Iterator[Batch]:
        """Read the rows."""
        reader = _Reader(self._dataset, self._layout)
        done = 0
        for batch in reader:
            fids = reader.row_numbers(done, len(batch))
            done += len(batch)
            self._ledger.read += len(batch)
            yield self._as_batch(batch, fids)
        self._ledger.read += len(reader.bad)
        self._ledger.drop(ROW_MALFORMED, reader.bad, reader.examples)

    def _own_crs(self) -> OwnCrs:
        """Return degrees where names or SRIDs say so, or every value could be some."""
        if self._look.srid:
            return OwnCrs(f"EPSG:{self._look.srid}", "srid")
        if self._coordinates.are_degrees:
            return OwnCrs("EPSG:4326", "format")
        if not self._look.could_be_degrees:
            return OwnCrs(None)
        message = "the file names no CRS; every coordinate could be a longitude or latitude: EPSG:4326"
        self._findings.add("warning", CRS_ASSUMED, message)
        return OwnCrs("EPSG:4326", "format")

    def _field(self, name: str) -> Field:
        guess = self._look.guesses[name]
        if not guess.has_long_integers or guess.type != pa.string():
            return Field(name, guess.type)
        note = "integers that no number type holds exactly are kept as text"
        self._findings.add("warning", COLUMN_TYPE_WIDENED, f"{name!r}: {note}")
        return Field(name, guess.type, note=note)

    def _as_batch(self, batch: pa.RecordBatch, fids: NDArray[np.int64]) -> Batch:
        wkb, bad = self._geometries(batch, fids)
        attributes = [self._look.guesses[name].convert(batch.column(name)) for name in self._attributes]
        if not bad.any():
            return Batch(fids, wkb, attributes)
        good = pa.array(~bad)
        return Batch(fids[~bad], wkb.filter(good), [values.filter(good) for values in attributes])

    def _geometries(
        self, batch: pa.RecordBatch, fids: NDArray[np.int64]
    ) -> tuple[pa.BinaryArray, NDArray[np.bool_]]:
        """Return geometries, and which rows have something that is none."""
        if self._coordinates.text:
            return self._from_text(batch.column(self._coordinates.text), fids)
        x, bad_x = self._numbers(batch.column(self._coordinates.x))
        y, bad_y = self._numbers(batch.column(self._coordinates.y))
        bad = bad_x | bad_y
        if bad.any():
            places = np.flatnonzero(bad)
            pairs = [self._shown(batch, int(place)) for place in places[:_EXAMPLES]]
            self._ledger.drop(COORDINATES_MALFORMED, fids[places].tolist(), pairs)
        there = np.asarray(pc.and_(x.is_valid(), y.is_valid()))
        return point_wkb(_filled(x), _filled(y), there), bad

    def _numbers(self, values: pa.StringArray) -> tuple[pa.DoubleArray, NDArray[np.bool_]]:
        try:
            return as_type(values, pa.float64(), self._layout.decimal), np.zeros(len(values), np.bool_)
        except pa.ArrowInvalid:
            return _each_number(values, self._layout.decimal)

    def _shown(self, batch: pa.RecordBatch, place: int) -> str:
        x = batch.column(self._coordinates.x)[place].as_py()
        y = batch.column(self._coordinates.y)[place].as_py()
        return f"{self._coordinates.y} {y!r}, {self._coordinates.x} {x!r}"

    def _from_text(
        self, values: pa.StringArray, fids: NDArray[np.int64]
    ) -> tuple[pa.BinaryArray, NDArray[np.bool_]]:
        parsed = parse_text(values)
        foreign = (parsed.srids != self._look.srid) & (parsed.srids > 0)
        bad = parsed.is_bad | foreign
        places = np.flatnonzero(bad)
        examples = [repr(values[int(place)].as_py()[:100]) for place in places[:_EXAMPLES]]
        self._ledger.drop(GEOMETRY_MALFORMED, fids[places].tolist(), examples)
        return parsed.wkb, bad


class _FirstPass:
    """What a look at every row tells: types, number of rows, and what the coordinates could be."""

    def __init__(self, layout: Layout, coordinates: Coordinates) -> None:
        self._layout = layout
        self._coordinates = coordinates
        self.guesses = {name: TypeGuess(layout.decimal) for name in layout.names}
        self.rows = 0
        self.srid = 0
        self.could_be_degrees = True

    def take(self, batch: pa.RecordBatch) -> None:
        for name, guess in self.guesses.items():
            if name != self._coordinates.text:
                guess.look(batch.column(name))
        if self._coordinates.text:
            self._look_at_text(batch.column(self._coordinates.text))
        elif not self._coordinates.are_degrees:
            for name, most in zip((self._coordinates.x, self._coordinates.y), _MOST_DEGREES, strict=True):
                numbers, _ = _each_number(batch.column(name), self._layout.decimal)
                self.could_be_degrees &= (pc.max(pc.abs(numbers)).as_py() or 0.0) <= most
        self.rows += len(batch)

    def _look_at_text(self, values: pa.StringArray) -> None:
        """Look for an SRID, and as long as there is none whether all geometries could be in degrees."""
        if self.srid:
            return
        telling = f"{_MAYBE_SRID}|{_MAYBE_BEYOND}" if self.could_be_degrees else _MAYBE_SRID
        values = values.filter(pc.match_substring_regex(values, telling))
        if not len(values):
            return
        parsed = parse_text(values)
        named = parsed.srids[parsed.srids > 0]
        self.srid = int(named[0]) if len(named) else 0
        self.could_be_degrees &= _within_degrees(parsed.wkb)


class _Reader:
    """Reads rows as text, and leaves those out that have too many or too few fields.

    Args:
        dataset: The file.
        layout: How it is laid out.
    """

    def __init__(self, dataset: Dataset, layout: Layout) -> None:
        self._dataset = dataset
        self._layout = layout
        # Every row of a file may be bad: numbers take eight bytes each, texts many times as much.
        self.bad = array("q")
        self.examples: list[str] = []

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._open()
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            name = self._dataset.path.name
            raise TaskFailed(UNREADABLE, f"{name}: {str(error)[:300]}", file=name, driver="CSV") from error

    def row_numbers(self, done: int, count: int) -> NDArray[np.int64]:
        """Return the numbers of the next `count` rows, the first data row being 1."""
        bad = np.array(self.bad, np.int64)
        places = np.arange(done + 1, done + count + 1)
        numbers: NDArray[np.int64] = places + np.searchsorted(bad - np.arange(len(bad)), places, side="right")
        return numbers

    def _open(self) -> Any:
        names = self._layout.names
        return pa_csv.open_csv(
            self._dataset.path,
            read_options=pa_csv.ReadOptions(
                use_threads=False,
                block_size=_BLOCK_NBYTES,
                column_names=names,
                skip_rows_after_names=1,
                encoding=self._layout.encoding,
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=self._layout.delimiter,
                newlines_in_values=True,
                invalid_row_handler=self._skip,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )

    def _skip(self, row: Any) -> str:
        self.bad.append(row.number - 1 if row.number is not None else 0)
        if len(self.examples) < _EXAMPLES:
            text = f"{row.actual_columns} fields instead of {row.expected_columns}: {row.text[:80]!r}"
            self.examples.append(text)
        return "skip"


def _each_number(values: pa.StringArray, decimal: str) -> tuple[pa.DoubleArray, NDArray[np.bool_]]:
    """Return the numbers among values, null for the others, and which of them are something else."""
    text = pc.utf8_trim_whitespace(values)
    if decimal == ",":
        text = pc.replace_substring(text, ",", ".")
    is_number = pc.fill_null(
        pc.match_substring_regex(text, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"), False
    )
    numbers = pc.cast(pc.if_else(is_number, text, pa.scalar(None, pa.string())), pa.float64())
    is_nothing = pc.or_kleene(text.is_null(), pc.is_in(text, NO_VALUE))
    return numbers, ~np.asarray(is_number) & ~np.asarray(is_nothing)


def _filled(values: pa.DoubleArray) -> NDArray[np.float64]:
    return np.asarray(pc.fill_null(values, 0.0))


def _within_degrees(wkb: pa.BinaryArray) -> bool:
    simple = wkb.filter(pa.array(headers(wkb).is_simple))
    shapes = shapely.from_wkb(simple.to_numpy(zero_copy_only=False), on_invalid="ignore")
    shapes = shapes[~shapely.is_missing(shapes)]
    if not len(shapes):
        # Nothing but measures, curves and surfaces, which only PostGIS reads: nothing speaks against it.
        return True
    bounds = shapely.total_bounds(shapes)
    return bool((np.abs(np.nan_to_num(bounds)) <= (*_MOST_DEGREES, *_MOST_DEGREES)).all())
