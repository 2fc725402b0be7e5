"""Installing and migrating pgSTAC on a real server, as a role that is no superuser."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib import metadata
from importlib.resources import files

import psycopg
import pytest
from psycopg import sql

from config.defaults import STACDefaults
from core import codes
from core.errors import TerraneError, TransientError
from infrastructure.database import Database
from infrastructure.pgstac_bootstrap import PGSTAC_VERSION, PgStacBootstrap, migration_path
from infrastructure.pgstac_repository import PgStacRepository
from services.stac.collections import system_collections
from tests.factories.stac import collection, item
from tests.fixtures.postgres import APP_ROLE, OWNER_ROLE, PostgresServer
from tests.stac_validation import assert_valid_collection

OLDER = "0.9.12"


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[Database]:
    """A database with the extensions and nothing else, seen by its owner."""
    name = postgres_server.create_database()
    with closing(postgres_server.connect(name)) as superuser:
        superuser.execute("DROP SCHEMA pgstac CASCADE")
    with closing(Database(postgres_server.settings(name, OWNER_ROLE), lambda: None, "test")) as owner:
        yield owner
    postgres_server.drop_database(name)


@pytest.fixture
def owner(postgres_server: PostgresServer, database: Database) -> Iterator[Database]:
    """The test's database, seen by its owner."""
    with database.connection() as connection:
        name = connection.info.dbname
    with closing(Database(postgres_server.settings(name, OWNER_ROLE), lambda: None, "test")) as pool:
        yield pool


def test_an_empty_database_gets_the_pinned_version_and_the_system_collections(empty: Database) -> None:
    bootstrap = PgStacBootstrap(empty, APP_ROLE)
    before = bootstrap.version()

    version = bootstrap.install(system_collections(STACDefaults.SYSTEM_COLLECTIONS))

    found = PgStacRepository(empty).collections()
    assert before is None
    assert version == bootstrap.version() == PGSTAC_VERSION
    assert [document["id"] for document in found] == sorted(STACDefaults.SYSTEM_COLLECTIONS)
    for document in found:
        assert_valid_collection(document)
    bootstrap.check()


def test_an_older_version_is_migrated_with_its_items(empty: Database) -> None:
    install_version(empty, OLDER)
    with empty.transaction() as connection:
        connection.execute("SELECT set_config('search_path', 'pgstac, public', true)")
        connection.execute("SELECT pgstac.create_collection(%s)", [psycopg.types.json.Jsonb(collection())])
        connection.execute("SELECT pgstac.create_item(%s)", [psycopg.types.json.Jsonb(item())])

    PgStacBootstrap(empty, APP_ROLE).install()

    repository = PgStacRepository(empty)
    with empty.transaction() as connection:
        repository.within(connection).upsert_items(
            [item("later", properties={"datetime": "2031-01-01T00:00:00Z"})]
        )
    PgStacBootstrap(empty, APP_ROLE).check()
    assert repository.get_item("dem", "tile") == item()
    assert repository.count_items("dem") == 2


def test_doing_it_again_changes_nothing(owner: Database) -> None:
    bootstrap = PgStacBootstrap(owner, APP_ROLE)
    repository = PgStacRepository(owner)
    with owner.transaction() as connection:
        repository.within(connection).upsert_items([item("tile", "system-rasters")])
    before = repository.collections()

    bootstrap.install(system_collections(STACDefaults.SYSTEM_COLLECTIONS))

    assert repository.collections() == before
    assert repository.get_item("system-rasters", "tile") == item("tile", "system-rasters")


def test_two_deployments_at_once_do_no_harm(empty: Database) -> None:
    bootstrap = PgStacBootstrap(empty, APP_ROLE)

    with ThreadPoolExecutor(2) as pool:
        versions = list(pool.map(lambda _: bootstrap.install(), range(2)))

    assert versions == [PGSTAC_VERSION] * 2


@pytest.mark.parametrize("version", [OLDER, "0.11.0", "unreleased"])
def test_another_version_is_named_with_the_one_that_is_needed(owner: Database, version: str) -> None:
    with owner.transaction() as connection:
        connection.execute("SELECT pgstac.set_version(%s)", [version])

    with pytest.raises(TerraneError, match=f"version {version}.*version {PGSTAC_VERSION}") as raised:
        PgStacBootstrap(owner, APP_ROLE).check()

    assert raised.value.code == codes.CATALOGUE_VERSION


def test_a_newer_version_is_left_alone(owner: Database) -> None:
    with owner.transaction() as connection:
        connection.execute("SELECT pgstac.set_version('99.0.0')")
    bootstrap = PgStacBootstrap(owner, APP_ROLE)

    with pytest.raises(TerraneError) as raised:
        bootstrap.install()

    assert raised.value.code == codes.CATALOGUE_VERSION
    assert bootstrap.version() == "99.0.0"


def test_no_pgstac_is_named(empty: Database) -> None:
    with pytest.raises(TerraneError, match="no pgSTAC"):
        PgStacBootstrap(empty, APP_ROLE).check()


def test_a_missing_privilege_is_named(owner: Database) -> None:
    with pytest.raises(TerraneError, match=r"role pg_monitor lacks SELECT on pgstac\.items") as raised:
        PgStacBootstrap(owner, "pg_monitor").check()

    assert raised.value.code == codes.CATALOGUE_PRIVILEGE


def test_the_app_may_not_install(empty: Database, postgres_server: PostgresServer) -> None:
    with empty.connection() as connection:
        name = connection.info.dbname

    with (
        closing(Database(postgres_server.settings(name, APP_ROLE), lambda: None, "test")) as app,
        pytest.raises(TransientError, match="must have admin option"),
    ):
        PgStacBootstrap(app, APP_ROLE).install()


def test_the_app_owns_nothing(database: Database) -> None:
    with database.transaction() as connection:
        repository = PgStacRepository(database).within(connection)
        repository.ensure_collection(collection())
        repository.upsert_items([item()])

    owned = database.fetch_all("SELECT relname FROM pg_class WHERE relowner = to_regrole(%s)", [APP_ROLE])

    assert owned == []


def test_the_app_finds_pgstac_without_start_up_options(database: Database) -> None:
    row = database.fetch_one("SELECT current_setting('search_path') AS path, search()->>'type' AS found")

    assert row == {"path": "pgstac, public", "found": "FeatureCollection"}


def test_the_package_that_is_installed_is_the_pinned_one() -> None:
    assert metadata.version("pypgstac") == PGSTAC_VERSION


def test_the_shortest_chain_of_scripts_is_taken() -> None:
    scripts = [
        "pgstac.1.0.0-2.0.0.sql",
        f"pgstac.2.0.0-{PGSTAC_VERSION}.sql",
        f"pgstac.1.0.0-{PGSTAC_VERSION}.sql",
    ]

    assert migration_path(scripts, "1.0.0") == [f"pgstac.1.0.0-{PGSTAC_VERSION}.sql"]
    assert migration_path(scripts, "2.0.0") == [f"pgstac.2.0.0-{PGSTAC_VERSION}.sql"]
    assert migration_path(scripts, PGSTAC_VERSION) == []
    assert migration_path(scripts, "") == [f"pgstac.{PGSTAC_VERSION}.sql"]


def install_version(database: Database, version: str) -> None:
    script = (files("pypgstac") / "migrations" / f"pgstac.{version}.sql").read_text()
    with database.connection() as connection:
        for role in ("pgstac_admin", "pgstac_ingest", "pgstac_read"):
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
        connection.execute(script)
        connection.execute("RESET ALL; RESET ROLE")
