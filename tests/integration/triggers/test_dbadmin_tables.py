from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from config.settings import DatabaseSettings
from tests.factories.memory_app import Client
from tests.fixtures.postgres import PostgresServer

HIDDEN = "hunter2"


@pytest.fixture
def owner(
    postgres_server: PostgresServer, database_settings: DatabaseSettings
) -> Iterator[psycopg.Connection[DictRow]]:
    with closing(postgres_server.connect(database_settings.database)) as connection:
        yield connection


@pytest.fixture
def parcels(owner: psycopg.Connection[DictRow]) -> str:
    owner.execute(
        """
        CREATE TABLE geo."Parcels; --" (
            id integer PRIMARY KEY, "Name" text NOT NULL DEFAULT 'none', password text, area double precision,
            geom geometry(Point, 4326));
        INSERT INTO geo."Parcels; --"
        SELECT n, repeat('x', 1000), 'hunter2', 'NaN', ST_SetSRID(ST_MakePoint(n, 50), 4326)
          FROM generate_series(1, 30) AS n;
        COMMENT ON TABLE geo."Parcels; --" IS 'made for a test';
        GRANT SELECT ON geo."Parcels; --" TO terrane_app;
        """
    )
    return "/api/dbadmin/tables/geo.Parcels; --"


def names(answer: Any) -> list[str]:
    return [item["name"] for item in answer.json["items"]]


def test_our_schemas_are_listed_and_the_systems_are_not(client: Client) -> None:
    found = names(client.get("/api/dbadmin/schemas"))

    assert {"app", "geo", "pgstac", "public"} <= set(found)
    assert not [name for name in found if name.startswith("pg_") or name == "information_schema"]


def test_lists_go_on_where_they_ended(client: Client) -> None:
    whole = names(client.get("/api/dbadmin/schemas/app/tables"))

    collected: list[str] = []
    address = "/api/dbadmin/schemas/app/tables?limit=3"
    while address:
        answer = client.get(address)
        collected += names(answer)
        address = answer.json["next"]

    assert collected == whole
    assert {"jobs", "tasks", "violations"} <= set(whole)


def test_a_table_with_any_name_can_be_looked_at(client: Client, parcels: str) -> None:
    table = client.get(parcels).json

    assert (table["schema"], table["name"], table["kind"]) == ("geo", "Parcels; --", "table")
    assert (table["comment"], table["readable"]) == ("made for a test", True)
    assert table["nbytes"] >= table["table_nbytes"] > 0


def test_columns_and_indexes_are_told_in_full(client: Client, parcels: str) -> None:
    columns = client.get(f"{parcels}/columns").json["items"]
    indexes = client.get(f"{parcels}/indexes").json["items"]

    assert [(column["name"], column["type"], column["nullable"]) for column in columns] == [
        ("id", "integer", False),
        ("Name", "text", False),
        ("password", "text", True),
        ("area", "double precision", True),
        ("geom", "geometry(Point,4326)", True),
    ]
    assert columns[1]["default"] == "'none'::text"
    assert [(index["is_primary"], index["is_valid"]) for index in indexes] == [(True, True)]


def test_a_sample_is_short_and_keeps_secrets(client: Client, parcels: str) -> None:
    answer = client.get(f"{parcels}/sample?limit=2")

    assert answer.json["items"] == [
        {
            "id": n,
            "Name": "x" * 200,
            "password": "(hidden)",
            "area": None,
            "geom": f"SRID=4326;POINT({n} 50)",
        }
        for n in (1, 2)
    ]
    assert HIDDEN.encode() not in answer.body


def test_a_sample_shows_the_first_fifty_columns(client: Client, owner: psycopg.Connection[DictRow]) -> None:
    wide = ", ".join(f"c{number} integer" for number in range(70))
    owner.execute(f"CREATE TABLE geo.wide ({wide}); GRANT SELECT ON geo.wide TO terrane_app")

    sample = client.get("/api/dbadmin/tables/geo.wide/sample").json

    assert (len(sample["columns"]), sample["columns_left_out"], sample["items"]) == (50, 20, [])


def test_a_large_value_is_not_read_for_a_sample(client: Client, owner: psycopg.Connection[DictRow]) -> None:
    owner.execute("CREATE TABLE geo.large (content bytea); GRANT SELECT ON geo.large TO terrane_app")
    owner.execute("ALTER TABLE geo.large ALTER content SET STORAGE EXTERNAL")
    owner.execute("INSERT INTO geo.large VALUES (decode(repeat('00', 100000), 'hex'))")

    sample = client.get("/api/dbadmin/tables/geo.large/sample").json

    assert sample["items"] == [{"content": "(100000 bytes)"}]


@pytest.mark.parametrize("part", ["", "/columns", "/indexes", "/sample"])
@pytest.mark.parametrize("table", ["geo.nothing", "pg_catalog.pg_authid", "nothing", "geo.", "geo.a\x00b"])
def test_what_may_not_be_looked_at_is_not_there(client: Client, table: str, part: str) -> None:
    answer = client.get(f"/api/dbadmin/tables/{table}{part}")

    assert (answer.status, answer.json["code"]) == (404, "table.unknown")


@pytest.mark.parametrize("schema", ["nothing", "pg_catalog", "information_schema", "a\x00"])
def test_an_unknown_schema_is_told(client: Client, schema: str) -> None:
    answer = client.get(f"/api/dbadmin/schemas/{schema}/tables")

    assert (answer.status, answer.json["code"]) == (404, "schema.unknown")


def test_rows_that_the_role_may_not_read_stay_hidden(
    client: Client, owner: psycopg.Connection[DictRow]
) -> None:
    owner.execute("CREATE TABLE geo.hidden (id integer); REVOKE ALL ON geo.hidden FROM terrane_app")

    answer = client.get("/api/dbadmin/tables/geo.hidden/sample")

    assert (answer.status, answer.json["code"]) == (409, "table.unreadable")


def test_a_view_that_writes_is_refused(client: Client, owner: psycopg.Connection[DictRow]) -> None:
    owner.execute(
        """
        CREATE TABLE geo.counted (n integer);
        CREATE FUNCTION geo.count_up() RETURNS integer LANGUAGE sql SECURITY DEFINER
            AS 'INSERT INTO geo.counted VALUES (1) RETURNING n';
        CREATE VIEW geo.counting AS SELECT geo.count_up() AS n;
        GRANT SELECT ON geo.counting TO terrane_app;
        """
    )

    answer = client.get("/api/dbadmin/tables/geo.counting/sample")

    assert (answer.status, answer.json["code"]) == (409, "table.unreadable")
    assert "read-only" in answer.json["detail"]
    assert owner.execute("SELECT count(*) AS n FROM geo.counted").fetchone() == {"n": 0}


def test_a_view_without_end_is_cut_off(client: Client, owner: psycopg.Connection[DictRow]) -> None:
    owner.execute(
        "CREATE VIEW geo.slow AS SELECT pg_sleep(60)::text AS s; GRANT SELECT ON geo.slow TO terrane_app"
    )

    answer = client.get("/api/dbadmin/tables/geo.slow/sample")

    assert (answer.status, answer.json["code"]) == (503, "diagnostics.timeout")
