"""How a CSV file is laid out, and which of its columns say where things are."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from core.errors import TaskFailed
from core.vector_options import ConverterOptions
from services.vector.codes import CSV_COLUMNS_MISSING, CSV_HEADER_INVALID

_SAMPLE_CHARACTERS: Final = 256 * 1024
_SAMPLE_ROWS: Final = 50
_DELIMITERS: Final = (",", ";", "\t", "|")
_LONGEST_HEADER: Final = 60
# Most telling first; only the first ones say that they are degrees.
_DEGREES_Y: Final = ("latitude", "lat", "y_lat", "lat_dd", "decimallatitude")
_DEGREES_X: Final = ("longitude", "lon", "lng", "long", "x_lon", "lon_dd", "decimallongitude")
_ANY_Y: Final = ("northing", "y", "y_coord", "coord_y")
_ANY_X: Final = ("easting", "x", "x_coord", "coord_x")
_GEOMETRIES: Final = ("wkt", "geom", "geometry", "the_geom", "wkb", "ewkt", "wkb_geometry", "shape")


@dataclass(frozen=True)
class Layout:
    """What a reader has to know of a CSV file.

    Args:
        encoding: Name of its codec.
        delimiter: Between fields.
        decimal: Decimal mark of numbers.
        names: The header, in order.
    """

    encoding: str
    delimiter: str
    decimal: Literal[".", ","]
    names: list[str]


@dataclass(frozen=True)
class Coordinates:
    """Which columns hold them: two of numbers, or one of text.

    Args:
        x: Longitudes or eastings.
        y: Latitudes or northings.
        text: WKT, EWKT, or WKB and EWKB in hex.
        are_degrees: Whether the names, or who named them, say longitude and latitude.
    """

    x: str = ""
    y: str = ""
    text: str = ""
    are_degrees: bool = False


def layout_of(path: Path, encoding: str, options: ConverterOptions) -> Layout:
    """Return how a file is laid out; what is not given is found out from its first rows.

    Raises:
        TaskFailed: ``vector.csv_header_invalid``.
    """
    with path.open(encoding=encoding, newline="") as file:
        sample = file.read(_SAMPLE_CHARACTERS)
    whole = sample if len(sample) < _SAMPLE_CHARACTERS else sample[: sample.rfind("\n") + 1] or sample
    delimiter = options.delimiter or _delimiter(whole)
    rows = _rows(whole, delimiter)
    if not rows or not any(name.strip() for name in rows[0]):
        raise TaskFailed(CSV_HEADER_INVALID, f"{path.name} has no header", file=path.name)
    names = [name.strip() for name in rows[0]]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    return Layout(
        encoding=encoding,
        delimiter=delimiter,
        decimal=options.decimal or _decimal(rows[1:], delimiter),
        names=_distinct(names) if twice or "" in names else names,
    )


def coordinates_of(layout: Layout, options: ConverterOptions) -> Coordinates:
    """Return the columns of the coordinates: those that are named, else those with usual names.

    Raises:
        TaskFailed: ``vector.csv_columns_missing`` with the header.
    """
    if options.wkt_column is not None:
        return Coordinates(text=_named(layout, options.wkt_column, "wkt_column"))
    if options.lat_name is not None or options.lon_name is not None:
        if options.lat_name is None or options.lon_name is None:
            raise _missing(layout, "lat_name and lon_name belong together, and one of them was given")
        x, y = _named(layout, options.lon_name, "lon_name"), _named(layout, options.lat_name, "lat_name")
        return Coordinates(x=x, y=y, are_degrees=True)
    for x_names, y_names in ((_DEGREES_X, _DEGREES_Y), (_ANY_X, _ANY_Y)):
        found_x, found_y = _usual(layout, x_names), _usual(layout, y_names)
        if found_x and found_y:
            return Coordinates(x=found_x, y=found_y, are_degrees=x_names is _DEGREES_X)
    if text := _usual(layout, _GEOMETRIES):
        return Coordinates(text=text)
    raise _missing(layout, "no columns have usual names of coordinates")


def _named(layout: Layout, wanted: str, parameter: str) -> str:
    if wanted in layout.names:
        return wanted
    folded = {name.casefold(): name for name in layout.names}
    if wanted.strip().casefold() in folded:
        return folded[wanted.strip().casefold()]
    raise _missing(layout, f"there is no column {wanted!r} ({parameter})")


def _usual(layout: Layout, names: Sequence[str]) -> str | None:
    folded = {name.casefold().replace(" ", "_"): name for name in reversed(layout.names)}
    return next((folded[name] for name in names if name in folded), None)


def _missing(layout: Layout, reason: str) -> TaskFailed:
    header = layout.names[:_LONGEST_HEADER]
    shown = ", ".join(repr(name[:63]) for name in header)
    return TaskFailed(CSV_COLUMNS_MISSING, f"{reason}; the header has {shown}", header=header)


def _rows(sample: str, delimiter: str) -> list[list[str]]:
    try:
        reader = csv.reader(io.StringIO(sample), delimiter=delimiter)
        return [row for row, _ in zip(reader, range(_SAMPLE_ROWS), strict=False) if row]
    except csv.Error as error:
        raise TaskFailed(CSV_HEADER_INVALID, f"the first rows are no CSV: {error}") from error


def _delimiter(sample: str) -> str:
    """Return the delimiter that gives the most columns, the same number in most rows."""

    def quality(delimiter: str) -> tuple[int, int]:
        counts = [len(row) for row in _rows(sample, delimiter)]
        columns = counts[0] if counts else 0
        return counts.count(columns) * (columns > 1), columns

    best = max(_DELIMITERS, key=quality)
    return best if quality(best)[0] else ","


def _decimal(rows: list[list[str]], delimiter: str) -> Literal[".", ","]:
    """Return the decimal mark: a comma only where it cannot be the delimiter and numbers have it."""
    if delimiter == ",":
        return "."
    values = [value.strip() for row in rows for value in row]
    commas = sum(1 for value in values if _is_number(value, ","))
    return "," if commas > sum(1 for value in values if _is_number(value, ".")) else "."


def _is_number(value: str, mark: str) -> bool:
    whole, found, part = value.lstrip("+-").partition(mark)
    return bool(found) and whole.isdigit() and part.isdigit()


def _distinct(names: list[str]) -> list[str]:
    """Number what has no name or the name of another column, as readers need them apart."""
    taken: set[str] = set()
    distinct = []
    for place, name in enumerate(names, 1):
        unique = name or f"column_{place}"
        number = 2
        while unique in taken or (unique != name and unique in names):
            unique = f"{name or f'column_{place}'}_{number}"
            number += 1
        taken.add(unique)
        distinct.append(unique)
    return distinct
