"""The catalogue in pgSTAC under load, and as the API serves it."""

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from config.settings import DatabaseSettings
from core import codes
from core.errors import TransientError
from core.json import JsonObject, dumps
from infrastructure.database import Database
from infrastructure.pgstac_repository import PgStacRepository
from services.stac.collections import raster_collection
from services.stac.items import build_raster_item
from services.stac.models import Acquisition
from services.stac.renders import default_renders
from tests.factories.raster_items import band, palette_band, projection, raster_asset, raster_item
from tests.factories.stac import collection, item
from tests.fixtures.postgres import PostgresServer
from tests.stac_validation import assert_valid_collection, assert_valid_item

YEAR = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 12, 31, tzinfo=UTC))


@pytest.fixture
def impatient(database_settings: DatabaseSettings) -> Iterator[Database]:
    """A pool that gives up soon."""
    settings = database_settings.model_copy(update={"connect_timeout_seconds": 2})
    with closing(open_database(settings)) as pool:
        yield pool


@pytest.fixture
def busy(database_settings: DatabaseSettings) -> Iterator[Database]:
    """A pool wide enough for fifty tasks at once."""
    with closing(open_database(database_settings, pool_size=50)) as pool:
        yield pool


def open_database(settings: DatabaseSettings, *, pool_size: int = 10) -> Database:
    return Database(settings.model_copy(update={"pool_size": pool_size}), lambda: None, "test")


def publish(database: Database, number: int, *collection_ids: str) -> int:
    """Do what a task does: make the collections and write an item to each, in one transaction."""
    with database.transaction() as connection:
        writer = PgStacRepository(database).within(connection)
        created = sum(writer.ensure_collection(collection(name)) for name in collection_ids)
        writer.upsert_items([item(f"item-{number}", name, bbox=tile(number)) for name in collection_ids])
    return created


def tile(number: int) -> tuple[float, float, float, float]:
    return (number % 100, number % 50, number % 100 + 1, number % 50 + 1)


def publish_in_threads(settings: DatabaseSettings, numbers: range) -> int:
    with closing(open_database(settings)) as database, ThreadPoolExecutor(10) as pool:
        return sum(pool.map(lambda number: publish(database, number, "dem"), numbers))


def test_a_hundred_tasks_make_one_collection_and_its_first_items_at_once(
    database: Database, database_settings: DatabaseSettings
) -> None:
    parts = [range(start, start + 25) for start in range(0, 100, 25)]

    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=spawn) as pool:
        created = sum(pool.map(publish_in_threads, [database_settings] * 4, parts))

    repository = PgStacRepository(database)
    found = repository.get_collection("dem")
    assert created == 1
    assert repository.count_items("dem") == 100
    assert found is not None
    assert found["extent"]["spatial"] == {"bbox": [[0, 0, 100, 50]]}


def test_tasks_that_make_many_collections_in_any_order_do_not_deadlock(busy: Database) -> None:
    def publish_two(number: int) -> int:
        return publish(busy, number, f"c{number % 10}", f"c{(number * 7 + 3) % 10}x")

    with ThreadPoolExecutor(50) as pool:
        created = sum(pool.map(publish_two, range(200)))

    names = {f"c{number % 10}" for number in range(200)} | {
        f"c{(number * 7 + 3) % 10}x" for number in range(200)
    }
    assert created == len(names)
    assert sum(PgStacRepository(busy).count_items(name) for name in names) == 400


def test_every_kind_of_write_to_one_collection_at_once_succeeds(busy: Database) -> None:
    publish(busy, 0, "dem")

    def change(number: int) -> None:
        with busy.transaction() as connection:
            writer = PgStacRepository(busy).within(connection)
            if number % 3 == 0:
                writer.upsert_collection(collection("dem", description=f"Version {number}."))
            elif number % 3 == 1:
                writer.delete_items("dem", ["item-0"])
            writer.upsert_items([item(f"item-{number % 7}", "dem", bbox=tile(number))])

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(change, range(120)))

    assert PgStacRepository(busy).count_items("dem") == 7


def test_the_last_of_two_writers_of_one_item_wins(busy: Database) -> None:
    publish(busy, 1, "dem")
    repository = PgStacRepository(busy)
    waiting = threading.Event()

    def write_second() -> None:
        with busy.transaction() as connection:
            waiting.set()
            repository.within(connection).upsert_items([item("item-1", properties={"title": "second"})])

    with ThreadPoolExecutor(1) as pool:
        with busy.transaction() as connection:
            repository.within(connection).upsert_items([item("item-1", properties={"title": "first"})])
            second = pool.submit(write_second)
            assert waiting.wait(10)
        second.result(timeout=20)

    found = repository.get_item("dem", "item-1")
    assert found is not None
    assert found["properties"]["title"] == "second"


def test_readers_and_other_collections_do_not_wait_for_a_new_collection(busy: Database) -> None:
    publish(busy, 1, "old")
    repository = PgStacRepository(busy)

    with busy.transaction() as first:
        repository.within(first).ensure_collection(collection("new"))
        repository.within(first).upsert_items([item("tile", "new")])
        with busy.transaction(timeout=timedelta(seconds=5)) as second:
            repository.within(second).upsert_items([item("item-1", "old", bbox=tile(1))])
        seen = repository.count_items("old"), repository.get_collection("new")

    assert seen == (1, None)


def test_items_at_any_time_lock_no_reader_out(busy: Database) -> None:
    publish(busy, 1, "dem")
    repository = PgStacRepository(busy)
    earlier = item("earlier", "dem", properties={"datetime": "1900-01-01T00:00:00Z"})

    with busy.transaction() as connection:
        repository.within(connection).upsert_items([earlier])
        with busy.transaction(timeout=timedelta(seconds=5)):
            seen = repository.count_items("dem")

    assert seen == 1
    assert repository.count_items("dem") == 2


def test_a_collection_that_somebody_else_made_without_a_partition_takes_items(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO pgstac.collections (content) VALUES (%s::jsonb)",
            [dumps(collection("theirs"))],
        )

    with database.transaction() as connection:
        PgStacRepository(database).within(connection).upsert_items([item("tile", "theirs")])

    assert PgStacRepository(database).get_item("theirs", "tile") == item("tile", "theirs")


def test_search_finds_what_was_written(database: Database) -> None:
    publish(database, 1, "dem")

    query = '{"collections": ["dem"], "bbox": [0, 0, 5, 5], "datetime": "2024-01-01T00:00:00Z/.."}'
    row = database.fetch_one("SELECT pgstac.search(%s::jsonb) AS found", [query])

    assert row is not None
    assert [feature["id"] for feature in row["found"]["features"]] == ["item-1"]


RASTERS = {
    "elevation": raster_item(renders=default_renders("dem", [band()])),
    "classes": raster_item(assets={"data": raster_asset(bands=(palette_band(),))}),
    "range": raster_item(acquired=Acquisition(range=YEAR, source="parameters")),
    "no code": raster_item(
        assets={"data": raster_asset(projection=projection(code=None, wkt2='ENGCRS["local"]'))}
    ),
    "no thumbnail": raster_item(thumbnail=None),
}


@pytest.mark.parametrize("name", RASTERS)
def test_items_and_collections_are_valid_as_they_are_read_back(database: Database, name: str) -> None:
    raster = RASTERS[name].model_copy(update={"collection_id": "floods"})
    written = build_raster_item(raster)
    repository = PgStacRepository(database)

    with database.transaction() as connection:
        writer = repository.within(connection)
        writer.ensure_collection(raster_collection("floods"))
        writer.upsert_items([written])

    found, found_collection = (
        repository.get_item("floods", written["id"]),
        repository.get_collection("floods"),
    )
    assert found is not None
    assert found_collection is not None
    assert_valid_item(found)
    assert_valid_collection(found_collection)
    assert found == without_null_codes(written)
    assert [served["id"] for served in search(database)] == [written["id"]]
    assert_valid_item(search(database)[0])


def without_null_codes(written: JsonObject) -> JsonObject:
    # pgSTAC keeps no nulls; no code and a null one mean the same.
    assets = {
        key: {name: value for name, value in asset.items() if value is not None}
        for key, asset in written["assets"].items()
    }
    return written | {"assets": assets}


def search(database: Database) -> list[JsonObject]:
    row = database.fetch_one('SELECT pgstac.search(\'{"collections": ["floods"]}\') AS found')
    assert row is not None
    features: list[JsonObject] = row["found"]["features"]
    return features


def test_a_database_that_is_away_is_a_transient_error_and_work_goes_on_when_it_is_back(
    impatient: Database, postgres_server: PostgresServer
) -> None:
    publish(impatient, 1, "dem")

    postgres_server.stop()
    try:
        with pytest.raises(TransientError, match=r"127\.0\.0\.1:\d+") as raised:
            PgStacRepository(impatient).count_items("dem")
    finally:
        postgres_server.start()
    publish(impatient, 2, "dem")

    assert raised.value.code == codes.DATABASE_UNAVAILABLE
    assert PgStacRepository(impatient).count_items("dem") == 2
