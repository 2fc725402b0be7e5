"""Chunks leave the workspace while others are still being prepared: into the table, or into the store."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from core import codes
from core.errors import ErrorCode, TaskFailed, TransientError
from core.handler import TaskContext
from core.models.tables import Chunk, Loaded, TableName
from core.submission import SubmitRequest
from infrastructure.memory.effects import InMemoryEffects
from infrastructure.memory.vector_store import InMemoryVectorStore, InMemoryVectorTransaction
from services.vector.chunk_outlet import ChunkOutlet
from services.vector.models import FOOTER_KEY, OUTLINE, ChunkFooter, ColumnDescription, VectorOutline
from services.vector.staged_table import MixedTooLate, StagedTable
from tests.factories.memory_app import MemoryApp
from tests.factories.one_task import acting
from tests.factories.vectors import PLACES
from tests.fixtures.processes import wait_until

TEMP = "rmhazuregeotemp"
TARGET = TableName("geo", "test")
SQUARE = shapely.box(0, 0, 1, 1)


class Tables(InMemoryVectorStore):
    """Tables whose loads wait until they may go on, and raise what they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.raises: list[Exception] = []

    def writer(self) -> InMemoryVectorTransaction:
        return MoodyTransaction(self)


class MoodyTransaction(InMemoryVectorTransaction):
    """See `Tables`."""

    def __init__(self, store: Tables) -> None:
        super().__init__(store)
        self._moods = store

    def load(self, table: TableName, chunk: Chunk) -> Loaded:
        assert self._moods.goes_on.wait(10)
        if self._moods.raises:
            raise self._moods.raises.pop()
        return super().load(table, chunk)


@dataclass
class Desk:
    """Tables, an app on them, and what became of the chunks."""

    tables: Tables
    app: MemoryApp = field(init=False)
    outlet: ChunkOutlet = field(init=False)
    table: StagedTable = field(init=False)
    workspace: Path = field(init=False)
    rows: dict[int, int] = field(default_factory=dict)
    geometry_type: str = ""
    error: str | None = None
    raised: BaseException | None = None

    def run(self, act: Callable[[], object], *, at_once: bool = True) -> str:
        """Do something while the outlet is open; return how the job ended."""

        def handle(context: TaskContext) -> None:
            self.workspace = context.workspace
            self.table = StagedTable(context, TARGET, "test", replace=False)
            self.outlet = ChunkOutlet(context, "temp/test/", self.table if at_once else None)
            self._outline()
            try:
                with self.outlet:
                    act()
            except Exception as error:
                self.raised = error
                raise
            if described := self.tables.describe(self.table.name):
                found = self.tables.snapshot().table(self.table.name).rows
                self.rows = {row_id: row["number"] for row_id, row in found.items()}
                self.geometry_type = described.columns[1].type

        self.app = acting(handle, max_attempts=1)
        self.app.blobs.ensure_container(TEMP)
        vars(self.app.app)["vector_tables"] = self.tables
        vars(self.app.app)["effects"] = InMemoryEffects(self.app.state, self.app.app.catalogue, self.tables)
        receipt = self.app.app.submission.submit(SubmitRequest("one_task", {}))
        self.app.work()
        job = self.app.app.jobs.get(receipt.job_id)
        assert job is not None
        self.error = job.error["code"] if job.error else None
        return job.status

    def put(
        self, number: int, values: Iterable[int], kind: str = "Polygon", *, sql_path: bool = False
    ) -> Path:
        """Write a chunk as the child does: under another name first."""
        rows = list(values)
        table = pa.table({"geom": [shapely.to_wkb(SQUARE)] * len(rows), "source_fid": rows, "number": rows})
        footer = ChunkFooter(geometry_type=kind, sql_path=sql_path).model_dump_json()
        path = self.workspace / f"chunk_{number:05d}.parquet"
        part = path.with_suffix(".part")
        pq.write_table(table.replace_schema_metadata({FOOTER_KEY: footer}), part)
        return part.rename(path)

    def staged(self, number: int) -> bool:
        """Tell whether the store has a chunk."""
        found = self.app.blobs.list_blobs(TEMP, f"temp/test/chunk_{number:05d}")
        return bool(list(found))

    def _outline(self) -> None:
        column = ColumnDescription(name="number", source_name="Number", type="bigint")
        outline = VectorOutline(columns=[column], target_srid=4326)
        (self.workspace / OUTLINE).write_text(outline.model_dump_json())


@pytest.fixture
def desk() -> Desk:
    return Desk(Tables())


def name(number: int) -> str:
    return f"chunk_{number:05d}.parquet"


def test_a_chunk_is_staged_while_the_next_is_prepared(desk: Desk) -> None:
    def act() -> None:
        first = desk.put(0, [7])
        wait_until(lambda: not first.exists(), 10)
        assert desk.staged(0)
        desk.put(1, [8])

    assert desk.run(act, at_once=False) == "completed"
    assert (desk.outlet.staged, desk.outlet.loaded, desk.rows) == ([name(0), name(1)], {}, {})
    assert not desk.staged(0)


def test_only_chunks_are_taken(desk: Desk) -> None:
    def act() -> None:
        for other in ("source.gpkg", "chunk_00000.part", "source_chunk_00000.parquet", "chunk_1.parquet"):
            (desk.workspace / other).write_bytes(b"x")
        desk.put(0, [7])

    assert (desk.run(act, at_once=False), desk.outlet.staged) == ("completed", [name(0)])


def test_a_preparation_that_fails_takes_no_more(desk: Desk) -> None:
    def act() -> None:
        first = desk.put(0, [7])
        wait_until(lambda: not first.exists(), 10)
        raise ZeroDivisionError

    assert (desk.run(act, at_once=False), desk.outlet.staged) == ("failed", [name(0)])
    assert not desk.staged(0)


def test_an_upload_that_fails_fails_the_task(desk: Desk) -> None:
    def act() -> None:
        # No file: it can be seen, and not be read.
        (desk.workspace / name(0)).mkdir()

    assert desk.run(act, at_once=False) == "failed"


def test_chunks_are_loaded_as_they_come_with_their_rows_numbered_through(desk: Desk) -> None:
    def act() -> None:
        first = desk.put(0, [7, 8])
        wait_until(lambda: not first.exists(), 10)
        desk.put(1, [9])
        desk.put(2, [10])

    assert desk.run(act) == "completed"
    assert {key: loaded.rows for key, loaded in desk.outlet.loaded.items()} == {
        name(0): 2,
        name(1): 1,
        name(2): 1,
    }
    assert (desk.outlet.staged, desk.rows) == ([], {1: 7, 2: 8, 3: 9, 4: 10})


def test_the_table_becomes_as_wide_as_the_chunks(desk: Desk) -> None:
    def act() -> None:
        for number, kind in enumerate(("Polygon", "Polygon", "MultiPolygon", "MultiPolygonZ")):
            desk.put(number, [number], kind)

    assert desk.run(act) == "completed"
    assert (len(desk.outlet.loaded), desk.geometry_type) == (4, "geometry(MultiPolygonZ,4326)")


@pytest.mark.parametrize(("kind", "sql_path"), [("Polygon", True), ("PolygonZM", False)])
def test_what_needs_postgis_goes_to_the_store_and_the_others_keep_their_numbers(
    desk: Desk, kind: str, sql_path: bool
) -> None:
    def act() -> None:
        desk.put(0, [7, 8], kind, sql_path=sql_path)
        desk.put(1, [9])

    assert desk.run(act) == "completed"
    assert (desk.outlet.staged, desk.rows) == ([name(0)], {3: 9})


def test_a_chunk_whose_rows_have_no_numbers_yet_goes_to_the_store(desk: Desk) -> None:
    def act() -> None:
        early = desk.put(1, [9])
        wait_until(lambda: not early.exists(), 10)
        desk.put(0, [7, 8])
        desk.put(2, [10])

    assert desk.run(act) == "completed"
    assert (desk.outlet.staged, desk.rows) == ([name(1)], {1: 7, 2: 8, 4: 10})


def test_what_the_loaders_cannot_keep_up_with_is_left_to_others(desk: Desk) -> None:
    def act() -> None:
        desk.tables.goes_on.clear()
        for number in range(9):
            desk.put(number, [number])
        wait_until(lambda: desk.staged(8), 10)
        desk.tables.goes_on.set()

    assert desk.run(act) == "completed"
    assert desk.outlet.staged == [name(6), name(7), name(8)]
    assert sorted(desk.rows) == [1, 2, 3, 4, 5, 6]


def test_a_database_that_does_not_answer_is_left_to_the_next_stage(desk: Desk) -> None:
    desk.tables.raises = [TransientError(codes.DATABASE_UNAVAILABLE, "gone")]

    def act() -> None:
        first = desk.put(0, [7])
        wait_until(lambda: not first.exists(), 10)
        assert desk.staged(0)
        desk.put(1, [8])

    assert desk.run(act) == "completed"
    assert (desk.outlet.staged, desk.outlet.loaded, desk.rows) == ([name(0), name(1)], {}, {})


def test_a_row_that_is_refused_fails_the_task_and_stops_the_child(desk: Desk) -> None:
    desk.tables.raises = [TaskFailed(codes.TABLE_ROW_REFUSED, "no")]
    told: list[ErrorCode] = []

    def act() -> None:
        desk.put(0, [7])
        try:
            wait_until(lambda: desk.outlet.check() is not None, 10)
        except TaskFailed as error:
            told.append(error.code)
            # What the child says when its disk is full because nobody takes its chunks.
            raise TransientError(codes.WORKSPACE_FULL, "full") from error

    assert desk.run(act) == "failed"
    assert told == [codes.TABLE_ROW_REFUSED]
    assert desk.error == codes.TABLE_ROW_REFUSED.code
    assert desk.tables.describe(desk.table.name) is None


@pytest.mark.parametrize("last", ["Geometry", "GeometryZ"])
def test_rows_that_became_multi_too_early_are_told_of(desk: Desk, last: str) -> None:
    def act() -> None:
        desk.put(0, [7], "Polygon")
        desk.put(1, [8], "MultiPolygon")
        desk.put(2, [9], last)
        wait_until(lambda: desk.outlet.check() is not None, 10)

    assert desk.run(act) == "failed"
    assert isinstance(desk.raised, MixedTooLate)
    assert str(desk.raised) == f"MultiPolygon became {last}"


def test_many_rows_are_not_written_anew_before_the_last_is_known(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.vector.chunk_outlet._MOST_REWRITTEN", 2)

    def act() -> None:
        desk.put(0, [7, 8], "Polygon")
        desk.put(1, [9], "MultiPolygon")
        desk.put(2, [10], "MultiPolygon")

    assert desk.run(act) == "completed"
    assert (desk.outlet.staged, desk.rows) == ([name(1), name(2)], {1: 7, 2: 8})


@pytest.mark.parametrize("which", [name(0), OUTLINE])
def test_no_link_is_followed(desk: Desk, tmp_path: Path, which: str) -> None:
    def act() -> None:
        path = desk.workspace / which
        path.unlink(missing_ok=True)
        path.symlink_to(tmp_path / "elsewhere")
        if which == OUTLINE:
            desk.put(0, [7])
        wait_until(lambda: desk.outlet.check() is not None, 10)

    assert desk.run(act) == "failed"
    assert str(desk.raised) == f"{which} is no file"


def test_what_stands_in_the_way_is_told_before_a_row_is_loaded(desk: Desk) -> None:
    desk.tables.put(TARGET, PLACES)

    assert desk.run(lambda: desk.put(0, [7])) == "failed"
    assert desk.outlet.loaded == {}
