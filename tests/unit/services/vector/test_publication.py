"""What is refused after the child has read a file, and that nothing of it is published."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from core.json import JsonObject
from core.models.tables import TableName
from core.ports.blobs import BlobRef, WriteOptions
from core.ports.isolation import IsolatedCall, Watch
from core.submission import SubmitRequest
from infrastructure.memory.effects import InMemoryEffects
from infrastructure.memory.vector_store import InMemoryVectorStore
from jobs.process_vector import ProcessVectorJob
from services.vector.create_vector_stac import create_vector_stac
from services.vector.models import (
    FOOTER_KEY,
    OUTLINE,
    ChunkFile,
    ChunkFooter,
    ColumnDescription,
    Dropped,
    PreparedVector,
    VectorOutline,
)
from services.vector.process_vector_prepare import process_vector_prepare
from services.vector.process_vector_upload import process_vector_upload
from services.vector.thumbnail_models import ThumbnailDrawn
from tests.factories.memory_app import MemoryApp, memory_app

PLACE = TableName("geo", "places")
COLUMNS = [ColumnDescription(name="number", source_name="Number", type="bigint")]
CHUNKS = (3, 2)
ROWS = sum(CHUNKS)


class Tables(InMemoryVectorStore):
    """Tables that count fewer rows than were loaded."""

    missing = 0

    def count_rows(self, table: TableName) -> int:
        return super().count_rows(table) - self.missing


@dataclass
class Child:
    """Stands for the isolated children: leaves chunks, and says of them what it is told to.

    Args:
        says: Fields of `PreparedVector` that are not as they should be.
        leaves: Rows of the chunks that it leaves.
    """

    says: dict[str, Any] = field(default_factory=dict)
    leaves: tuple[int, ...] = CHUNKS

    def run(self, call: IsolatedCall, watch: Watch) -> JsonObject:
        watch(None)
        if call.target.endswith(":draw_thumbnail"):
            (call.workspace / "thumbnail.png").write_bytes(b"\x89PNG")
            return ThumbnailDrawn(path="thumbnail.png", height=1, width=1).model_dump(mode="json")
        outline = VectorOutline(columns=COLUMNS, target_srid=4326)
        (call.workspace / OUTLINE).write_text(outline.model_dump_json())
        for number, rows in enumerate(self.leaves):
            _write_chunk(call.workspace / _chunk(number, rows).name, rows)
        return _prepared(**self.says)

    def close(self) -> None:
        pass


def _columns(kind: str) -> list[ColumnDescription]:
    seen = {"name": "seen", "source_name": "Seen", "type": kind}
    return [*COLUMNS, ColumnDescription.model_validate(seen)]


def _chunk(number: int, rows: int) -> ChunkFile:
    return ChunkFile(name=f"chunk_{number:05d}.parquet", rows=rows, nbytes=10)


def _write_chunk(path: Path, rows: int) -> None:
    geometries = [shapely.to_wkb(shapely.Point(number, 1)) for number in range(rows)]
    table = pa.table({"geom": geometries, "source_fid": range(rows), "number": range(rows)})
    footer = ChunkFooter(geometry_type="Point", sql_path=False).model_dump_json()
    part = path.with_suffix(".part")
    pq.write_table(table.replace_schema_metadata({FOOTER_KEY: footer}), part)
    part.rename(path)


def _prepared(**says: Any) -> JsonObject:
    fields = {
        "driver": "GeoJSONSeq",
        "layers": [],
        "source_crs": "EPSG:4326",
        "crs_source": "format",
        "target_srid": 4326,
        "columns": COLUMNS,
        "geometry_type": "Point",
        "bbox": (0, 1, 2, 1),
        "footprint": shapely.geometry.mapping(shapely.box(0, 0, 2, 1)),
        "rows_read": ROWS,
        "rows_prepared": ROWS,
        "repaired": {},
        "dropped": [],
        "findings": [],
        "chunks": [_chunk(number, rows) for number, rows in enumerate(CHUNKS)],
        "temporal": [],
        "nbytes": 100,
        "checksum": "1220" + "ab" * 32,
        "seconds": {},
    }
    return PreparedVector.model_validate(fields | says).model_dump(mode="json")


@dataclass
class Desk:
    """An app, its tables, and the children that it runs."""

    app: MemoryApp
    tables: Tables
    child: Child
    message: str = ""

    def publish(self, **parameters: Any) -> tuple[str, str | None]:
        """Run the job; return how it ended, and the code of its error."""
        given = {"blob_name": "places.geojsonl", "file_extension": "geojsonl", "table_name": PLACE.name}
        receipt = self.app.app.submission.submit(SubmitRequest("process_vector", given | parameters))
        self.app.work()
        job = self.app.app.jobs.get(receipt.job_id)
        assert job is not None
        self.message = job.error["message"] if job.error else ""
        return job.status, job.error["code"] if job.error else None

    @property
    def published(self) -> tuple[bool, int, list[str]]:
        """Return whether the table is there, how many items are, and which places are live."""
        items = list(self.app.app.catalogue.items("system-vectors"))
        live = sorted(row.kind for row in self.app.state.artifacts if row.state == "live")
        return self.tables.describe(PLACE) is not None, len(items), live


NOTHING = (False, 0, [])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    handlers = [process_vector_prepare, process_vector_upload, create_vector_stac]
    app, tables, child = memory_app([ProcessVectorJob], handlers), Tables(), Child()
    for container in ("bronze-vectors", "silver-vectors", "rmhazuregeotemp"):
        app.blobs.ensure_container(container)
    source = tmp_path / "places.geojsonl"
    source.write_text("{}")
    app.blobs.upload(source, BlobRef("bronze-vectors", source.name), WriteOptions())
    vars(app.app)["vector_tables"] = tables
    vars(app.app)["effects"] = InMemoryEffects(app.state, app.app.catalogue, tables)
    vars(app.app)["isolation"] = child
    return Desk(app, tables, child)


Publish = Callable[[], tuple[str, str | None]]


# Chunks are loaded while the file is read, or by tasks of their own.
@pytest.fixture(params=[None, 100], ids=["at_once", "by_tasks"])
def publish(desk: Desk, request: pytest.FixtureRequest) -> Publish:
    return lambda: desk.publish(chunk_size=request.param)


def test_a_table_with_every_row_is_published(desk: Desk, publish: Publish) -> None:
    assert publish() == ("completed", None)
    assert desk.published == (True, 1, ["blob", "item", "table"])
    assert desk.tables.count_rows(PLACE) == ROWS


@pytest.mark.parametrize("missing", [1, -1])
def test_a_table_with_other_rows_than_were_loaded_is_not_published(
    desk: Desk, publish: Publish, missing: int
) -> None:
    desk.tables.missing = missing

    assert publish() == ("failed", "vector.rows_lost")
    assert desk.published == NOTHING


@pytest.mark.parametrize(
    ("says", "leaves"),
    [
        ({}, CHUNKS[:1]),
        ({}, (*CHUNKS, 1)),
        ({"rows_read": ROWS + 1}, CHUNKS),
        ({"rows_read": ROWS + 1, "rows_prepared": ROWS + 1}, CHUNKS),
        ({"dropped": [Dropped(code="vector.bad_rows", message="", count=1, feature_ids=[1])]}, CHUNKS),
    ],
    ids=["a_chunk_less", "a_chunk_more", "a_row_in_no_chunk", "a_row_prepared_in_vain", "a_row_too_many"],
)
def test_chunks_that_do_not_add_up_are_not_published(
    desk: Desk, publish: Publish, says: dict[str, Any], leaves: tuple[int, ...]
) -> None:
    desk.child.says, desk.child.leaves = says, leaves

    assert publish() == ("failed", "vector.chunks_incomplete")
    assert desk.published == NOTHING


def test_a_chunk_with_fewer_rows_than_the_child_says_is_not_published(desk: Desk) -> None:
    desk.child.leaves = (CHUNKS[0], CHUNKS[1] - 1)

    assert desk.publish() == ("failed", "vector.chunks_incomplete")
    assert desk.published == NOTHING


@pytest.mark.parametrize("kind", ["date", "time", "timestamp", "timestamptz", "integer", "text"])
def test_columns_of_time_may_be_indexed_as_such(desk: Desk, kind: str) -> None:
    desk.child.says = {"columns": _columns(kind)}

    assert desk.publish(indexes={"temporal": ["Seen"]}) == ("completed", None)


@pytest.mark.parametrize("kind", ["boolean", "jsonb", "text[]"])
@pytest.mark.parametrize("name", ["Seen", "seen"])
def test_columns_of_other_types_are_refused_as_columns_of_time(desk: Desk, kind: str, name: str) -> None:
    desk.child.says = {"columns": _columns(kind)}

    assert desk.publish(indexes={"temporal": [name]}) == ("failed", "vector.index_column_not_temporal")
    assert desk.message == f"indexes.temporal: seen ({kind}) holds no dates, times or years."
    assert desk.published == NOTHING


@pytest.mark.parametrize("kind", ["boolean", "jsonb", "text[]", "bytea", "numeric"])
def test_columns_of_every_type_may_have_a_b_tree(desk: Desk, kind: str) -> None:
    desk.child.says = {"columns": _columns(kind)}

    assert desk.publish(indexes={"attributes": ["Seen"]}) == ("completed", None)
