"""Rows from the file to the table: none is lost in silence."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import ErrorCode, TaskFailed
from core.models import tables
from core.models.tables import Chunk, GeometryRules, TableName
from core.vector_options import GeometryOptions, Quantize
from services.vector.codes import (
    BAD_ROWS,
    COORDINATES_OUT_OF_RANGE,
    GEOMETRY_EMPTY,
    GEOMETRY_NULL,
    GEOMETRY_UNUSABLE,
    ROWS_LOST,
)
from services.vector.handover import ChunkRun, LoadedChunk, chunk_runs
from services.vector.ledger import Ledger, loaded_together
from services.vector.models import ChunkFile, Dropped, PreparedVector
from services.vector.staged_table import load_chunk


def dropped(count: int, *feature_ids: int) -> Dropped:
    return Dropped(code=GEOMETRY_EMPTY.code, message="no point", count=count, feature_ids=list(feature_ids))


def chunk(rows: int, **fields: Any) -> ChunkFile:
    return ChunkFile(name="chunk_00000.parquet", rows=rows, nbytes=10, **fields)


def prepared(rows_read: int, *chunks: ChunkFile, **fields: Any) -> PreparedVector:
    given = {
        "driver": "GPKG",
        "layers": [],
        "source_crs": "EPSG:4326",
        "crs_source": "file",
        "target_srid": 4326,
        "columns": [],
        "geometry_type": "Point",
        "bbox": None,
        "footprint": None,
        "rows_read": rows_read,
        "rows_prepared": sum(one.rows for one in chunks),
        "repaired": {},
        "dropped": [],
        "findings": [],
        "chunks": list(chunks),
        "temporal": [],
        "nbytes": 100,
        "checksum": "1220" + "ab" * 32,
        "seconds": {},
    }
    return PreparedVector.model_validate(given | fields)


def loaded(rows: int, **fields: Any) -> LoadedChunk:
    return LoadedChunk(rows=rows, replaced=0, nbytes=10, seconds=0.5, **fields)


def test_rows_that_were_loaded_and_dropped_are_all_that_were_read() -> None:
    ledger = Ledger(
        prepared(12, chunk(5), chunk(5), dropped=[dropped(2, 1, 2)], repaired={"self_intersection": 3})
    )

    ledger.add(loaded(5, repaired={"linearised": 1}))
    ledger.add(loaded(4, dropped=[dropped(1, 9)], repaired={"self_intersection": 1}))
    ledger.check(9)

    assert (ledger.rows, ledger.rows_dropped, ledger.nbytes) == (9, 3, 20)
    assert dict(ledger.repaired) == {"self_intersection": 4, "linearised": 1}
    assert list(ledger.dropped.values()) == [dropped(3, 1, 2, 9)]


def test_loads_of_several_chunks_are_added_up() -> None:
    loads = [
        loaded(5, repaired={"linearised": 1}, dropped=[dropped(1, 3)]),
        loaded(4, repaired={"linearised": 2}, dropped=[dropped(2, 8, 9)]),
        loaded(1),
    ]

    together = loaded_together(loads)

    assert together == LoadedChunk(
        chunks=3,
        rows=10,
        replaced=0,
        nbytes=30,
        repaired={"linearised": 3},
        dropped=[dropped(3, 3, 8, 9)],
        seconds=1.5,
    )
    assert loaded_together([]) is None
    ledger = Ledger(prepared(13, chunk(6), chunk(6), chunk(1)))
    ledger.add(together)
    ledger.check(10)


class OnlyTables:
    """A transaction whose tables refuse some rows of every chunk."""

    def __init__(self, *refused: tables.Dropped) -> None:
        self._loaded = tables.Loaded(rows=3, replaced=0, dropped=refused)
        self.tables = SimpleNamespace(load=lambda _table, _chunk: self._loaded)


def test_the_message_of_a_reason_holds_for_several_chunks(tmp_path: Path) -> None:
    file = tmp_path / "chunk.parquet"
    file.write_bytes(b"rows")
    world: Any = OnlyTables(
        tables.Dropped("unusable", "parse error", 5, [1, 2, 3, 4, 5]),
        tables.Dropped("empty", "it has no point", 2, [6, 7]),
    )
    loads = [load_chunk(world, TableName("vector_staging", "v"), Chunk(file, 1, 10)) for _ in range(2)]
    ledger = Ledger(prepared(20, chunk(10), chunk(10)))

    for one in loads:
        ledger.add(one)

    assert [(one.code, one.count, one.message) for one in ledger.dropped.values()] == [
        (GEOMETRY_UNUSABLE.code, 10, "Geometries that PostGIS cannot use: parse error"),
        (GEOMETRY_EMPTY.code, 4, "Features whose geometry has no point"),
    ]


def test_of_each_reason_the_first_ten_features_are_named() -> None:
    ledger = Ledger(prepared(30, dropped=[dropped(8, *range(8))]))

    ledger.add(loaded(0, dropped=[dropped(8, *range(8, 16))]))

    assert [(one.count, one.feature_ids) for one in ledger.dropped.values()] == [(16, list(range(10)))]


@pytest.mark.parametrize(
    ("chunks", "counted"),
    [([5, 5], 9), ([5, 5], 11), ([5], 5), ([5, 4], 9), ([5, 5, 1], 11)],
    ids=["fewer in the table", "more in the table", "a chunk missing", "a row missing", "a chunk too many"],
)
def test_a_difference_is_an_error_with_its_numbers(chunks: list[int], counted: int) -> None:
    ledger = Ledger(prepared(10, chunk(5), chunk(5)))
    for rows in chunks:
        ledger.add(loaded(rows))

    with pytest.raises(TaskFailed) as caught:
        ledger.check(counted)

    assert caught.value.code == ROWS_LOST
    assert f"the table has {counted}" in caught.value.message


def lost(code: ErrorCode, count: int, *feature_ids: int) -> Dropped:
    return Dropped(code=code.code, message=code.title, count=count, feature_ids=list(feature_ids))


def test_what_the_child_and_postgis_found_damaged_counts_together() -> None:
    child = lost(COORDINATES_OUT_OF_RANGE, 1, 7)
    ledger = Ledger(prepared(1_000, chunk(999), dropped=[child]))
    ledger.add(loaded(987, dropped=[lost(GEOMETRY_UNUSABLE, 12, *range(10, 20))]))

    ledger.refuse_if_bad(1.3)
    with pytest.raises(TaskFailed) as caught:
        ledger.refuse_if_bad(1.2)

    assert caught.value.code == BAD_ROWS
    assert caught.value.message == (
        "13 of 1,000 rows cannot be used, more than 1.2 %. "
        f"{GEOMETRY_UNUSABLE.title} (rows 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, ...). "
        f"{COORDINATES_OUT_OF_RANGE.title} (rows 7). "
        "Check for swapped axes and for a wrong CRS (`input_crs`)"
    )
    assert (caught.value.details["bad_rows"], caught.value.details["rows_read"]) == (13, 1_000)


def test_rows_without_a_geometry_are_no_damage() -> None:
    ledger = Ledger(prepared(10, chunk(5), dropped=[lost(GEOMETRY_NULL, 5, *range(5))]))
    ledger.add(loaded(1, dropped=[lost(GEOMETRY_EMPTY, 4, *range(5, 9))]))

    ledger.refuse_if_bad(0)


def test_equal_chunks_are_said_once() -> None:
    chunks = [*[chunk(100)] * 1_000, chunk(7), chunk(100, sql_path=True, source_srid=3857)]

    runs = chunk_runs(prepared(0, *chunks), GeometryOptions(quantize=Quantize(snap_to_grid=0.5)))

    rules = GeometryRules(3857, None, 4326, "Point", grid=0.5)
    assert runs == [
        ChunkRun(count=1_000, rows=100),
        ChunkRun(count=1, rows=7),
        ChunkRun(count=1, rows=100, rules=rules),
    ]


def test_chunks_that_are_loaded_already_are_told_apart() -> None:
    chunks = [ChunkFile(name=f"chunk_{number:05}.parquet", rows=100, nbytes=10) for number in range(4)]

    runs = chunk_runs(prepared(0, *chunks), GeometryOptions(), {chunks[1].name, chunks[2].name})

    assert [(run.count, run.is_loaded) for run in runs] == [(1, False), (2, True), (1, False)]


def test_where_a_table_has_measures_every_row_passes_through_postgis() -> None:
    [run] = chunk_runs(prepared(0, chunk(5), geometry_type="PointZM"), GeometryOptions(empty="drop"))

    assert run.rules == GeometryRules(4326, None, 4326, "PointZM", keep_empty=True)
