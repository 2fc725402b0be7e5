"""The port to vector tables: what every adapter does alike."""

from dataclasses import replace
from pathlib import Path

import pytest

from core import codes
from core.errors import Conflict, NotFound, TaskFailed
from core.models.tables import Indexes, TableName
from tests.factories.vectors import (
    PLACES,
    STAGED,
    TARGET,
    Vectors,
    memory_vectors,
    place_chunk,
    postgis_vectors,
)


@pytest.fixture(params=["memory", "postgis"])
def vectors(request: pytest.FixtureRequest) -> Vectors:
    if request.param == "memory":
        return memory_vectors()
    return postgis_vectors(request.getfixturevalue("database"))


def test_what_was_loaded_is_there_when_it_is_published(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()

    loaded = vectors.load(place_chunk(tmp_path))
    vectors.publish()

    assert (loaded.rows, loaded.replaced, loaded.dropped) == (3, 0, ())
    assert vectors.reader.count_rows(TARGET) == 3
    assert vectors.reader.describe(STAGED) is None
    found = vectors.reader.describe(TARGET)
    assert found is not None
    assert (found.kind, found.owned, found.comment) == ("table", True, PLACES.comment)
    assert [(column.name, column.type) for column in found.columns] == [
        ("id", "bigint"),
        ("geom", "geometry(Point,4326)"),
        ("name", "text"),
        ("people", "bigint"),
    ]


def test_a_chunk_that_is_loaded_again_replaces_its_rows(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()
    first, second = place_chunk(tmp_path), place_chunk(tmp_path, 4, ("Bern",))
    vectors.load(first)
    vectors.load(second)

    again = vectors.load(first)

    assert (again.rows, again.replaced) == (3, 3)
    assert vectors.reader.count_rows(STAGED) == 4


def test_a_table_that_is_created_again_is_empty(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()
    vectors.load(place_chunk(tmp_path))

    vectors.create()

    assert vectors.reader.count_rows(STAGED) == 0


def test_what_only_the_last_row_tells_is_told_late(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()
    vectors.load(place_chunk(tmp_path))

    for _ in range(2):
        with vectors.transaction() as tables:
            tables.revise(STAGED, replace(PLACES, geometry_type="MultiPoint", first_free_id=50))

    found = vectors.reader.describe(STAGED)
    assert found is not None
    assert [(column.name, column.type) for column in found.columns] == [
        ("id", "bigint"),
        ("geom", "geometry(MultiPoint,4326)"),
        ("name", "text"),
        ("people", "bigint"),
    ]
    assert vectors.reader.count_rows(STAGED) == 3


def test_nothing_of_a_transaction_that_fails_stays(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()
    vectors.load(place_chunk(tmp_path))

    def change() -> None:
        with vectors.transaction() as tables:
            tables.load(STAGED, place_chunk(tmp_path, 4))
            tables.publish(STAGED, TARGET, replace=False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()

    assert vectors.reader.describe(TARGET) is None
    assert vectors.reader.count_rows(STAGED) == 3


def test_a_file_without_the_rows_that_were_prepared_is_refused(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()

    with pytest.raises(TaskFailed) as caught:
        vectors.load(replace(place_chunk(tmp_path), rows=5))

    assert caught.value.code == codes.TABLE_CHUNK_DIFFERS


def test_a_place_that_is_taken_is_replaced_only_on_request(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()
    vectors.load(place_chunk(tmp_path))
    vectors.publish()
    vectors.create()
    vectors.load(place_chunk(tmp_path, 1, ("Bern",)))

    with pytest.raises(Conflict) as caught:
        vectors.publish()
    before = vectors.reader.count_rows(TARGET)
    vectors.publish(replace=True)

    assert caught.value.code == codes.TABLE_EXISTS
    assert before == 3
    assert vectors.reader.count_rows(TARGET) == 1


def test_a_rehearsal_changes_nothing(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()
    vectors.load(place_chunk(tmp_path))
    vectors.publish()
    vectors.create()

    with vectors.transaction() as tables:
        tables.rehearse(STAGED, TARGET, replace=True)
    with pytest.raises(Conflict) as caught, vectors.transaction() as tables:
        tables.rehearse(STAGED, TARGET, replace=False)

    assert caught.value.code == codes.TABLE_EXISTS
    assert vectors.reader.count_rows(TARGET) == 3
    assert vectors.reader.count_rows(STAGED) == 0


def test_a_table_goes_when_it_is_dropped(vectors: Vectors) -> None:
    vectors.create()

    with vectors.transaction() as tables:
        answers = tables.drop(STAGED), tables.drop(STAGED)

    assert answers == (True, False)
    assert vectors.reader.describe(STAGED) is None


def test_a_table_is_moved_and_moved_back(vectors: Vectors, tmp_path: Path) -> None:
    trash = TableName("vector_staging", "trash_1")
    vectors.create()
    vectors.load(place_chunk(tmp_path))
    vectors.publish()

    with vectors.transaction() as tables:
        tables.move(TARGET, trash)
    moved = vectors.reader.describe(TARGET), vectors.reader.count_rows(trash)
    with vectors.transaction() as tables:
        tables.move(trash, TARGET)

    assert moved == (None, 3)
    assert vectors.reader.count_rows(TARGET) == 3
    assert vectors.reader.describe(trash) is None


def test_a_table_is_not_moved_over_another(vectors: Vectors) -> None:
    other = TableName("vector_staging", "load_2")
    vectors.create()
    vectors.create(other)

    with pytest.raises(Conflict) as caught, vectors.transaction() as tables:
        tables.move(STAGED, other)

    assert caught.value.code == codes.TABLE_EXISTS


def test_what_is_not_there_is_said_to_be_missing(vectors: Vectors, tmp_path: Path) -> None:
    nothing = TableName("geo", "nothing")

    for act in (
        lambda: vectors.reader.count_rows(nothing),
        lambda: vectors.reader.extent(nothing),
        lambda: list(vectors.reader.sample_geometries(nothing, 10, 0.0)),
        lambda: vectors.load(place_chunk(tmp_path), nothing),
    ):
        with pytest.raises(NotFound) as caught:
            act()
        assert caught.value.code == codes.TABLE_MISSING
    assert vectors.reader.describe(nothing) is None
    assert list(vectors.reader.dependents(nothing)) == []


def test_indexing_twice_does_no_harm(vectors: Vectors, tmp_path: Path) -> None:
    vectors.create()
    vectors.load(place_chunk(tmp_path))

    for _ in range(2):
        with vectors.transaction() as tables:
            tables.index(STAGED, Indexes(attributes=("name",), temporal=("people",)))

    assert vectors.reader.count_rows(STAGED) == 3


def test_schemas_are_known(vectors: Vectors) -> None:
    answers = [vectors.reader.schema_exists(name) for name in ("geo", "vector_staging", "nowhere")]

    assert answers == [True, True, False]
