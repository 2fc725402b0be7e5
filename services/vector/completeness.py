"""Data sets whose parts end before they should, which readers pass over without a word.

OGR gives rows without geometries for a Shapefile that was cut off, and fewer rows for a table.
"""

from pathlib import Path
from typing import Final

import numpy as np

from core.errors import TaskFailed
from services.vector.codes import TRUNCATED

_SHAPE_HEADER_NBYTES: Final = 100
_TABLE_HEADER_NBYTES: Final = 32
_MAP_BLOCK_NBYTES: Final = 512


def refuse_cut_parts(path: Path) -> None:
    """Hold the sizes of a Shapefile's or a MapInfo table's files against what they say themselves.

    Raises:
        TaskFailed: ``vector.truncated``.
    """
    ending = path.suffix.lower()
    if ending == ".shp":
        for part in (path, path.with_suffix(".shx")):
            _refuse_short(part, _declared_shape_nbytes(part))
        _refuse_short(path.with_suffix(".dbf"), _declared_table_nbytes(path.with_suffix(".dbf")))
    elif ending == ".tab":
        _refuse_short(path.with_suffix(".dat"), _declared_table_nbytes(path.with_suffix(".dat")))
        _refuse_cut_map(path)


def _refuse_short(path: Path, declared: int) -> None:
    nbytes = path.stat().st_size
    if nbytes < declared:
        raise TaskFailed(
            TRUNCATED,
            f"{path.name} has {nbytes:,} bytes of the {declared:,} that it should have",
            file=path.name,
        )


def _declared_shape_nbytes(path: Path) -> int:
    """Return the length that a .shp or .shx file has by its header, which counts 16-bit words."""
    header = _header(path, _SHAPE_HEADER_NBYTES)
    return max(_SHAPE_HEADER_NBYTES, 2 * int.from_bytes(header[24:28], "big"))


def _declared_table_nbytes(path: Path) -> int:
    """Return the length of header and records of a dBASE table, as MapInfo's are too."""
    header = _header(path, _TABLE_HEADER_NBYTES)
    records = int.from_bytes(header[4:8], "little")
    start, record = int.from_bytes(header[8:10], "little"), int.from_bytes(header[10:12], "little")
    return max(_TABLE_HEADER_NBYTES, start + records * record)


def _refuse_cut_map(path: Path) -> None:
    """Refuse a table of which the index is too short, or points behind the end of the objects.

    Objects are kept in whole blocks.
    """
    index, objects = path.with_suffix(".id"), path.with_suffix(".map")
    if not index.exists() or not objects.exists():
        return
    records = int.from_bytes(_header(path.with_suffix(".dat"), _TABLE_HEADER_NBYTES)[4:8], "little")
    _refuse_short(index, 4 * records)
    places = np.fromfile(index, "<u4", records)
    last = max(int(places.max(initial=0)) + 1, objects.stat().st_size)
    _refuse_short(objects, -(-last // _MAP_BLOCK_NBYTES) * _MAP_BLOCK_NBYTES)


def _header(path: Path, nbytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(nbytes).ljust(nbytes, b"\x00")
