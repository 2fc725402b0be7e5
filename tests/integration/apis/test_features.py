"""OGC API Features and tiles over published tables."""

import json
from collections.abc import Iterator

import pytest

from config.settings import DatabaseSettings
from infrastructure.database import Database
from tests.factories.apis import HOST, ApiClient
from triggers.apis.features import Tables

TOWNS = "/api/features/collections/geo.towns"


@pytest.fixture
def client(database_settings: DatabaseSettings) -> Iterator[ApiClient]:
    client = ApiClient(database_settings)
    yield client
    client.close()


def publish(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            "CREATE TABLE geo.towns (fid bigint PRIMARY KEY, name text, people bigint,"
            " founded timestamptz, geom geometry(Point, 4326))"
        )
        connection.execute(
            "INSERT INTO geo.towns SELECT n, 'town ' || n, n * 100, '2020-01-01T00:00:00Z',"
            " ST_SetSRID(ST_MakePoint(n, n / 2.0), 4326) FROM generate_series(1, 25) AS n"
        )


def test_a_table_is_served_as_soon_as_it_is_published(client: ApiClient, database: Database) -> None:
    before = client.get(TOWNS)
    publish(database)
    let_the_pause_pass(client)

    answer = client.get(TOWNS)

    assert before.status == 404
    assert before.json["code"] == "api.not_found"
    assert answer.status == 200
    assert answer.json["id"] == "geo.towns"
    assert answer.json["extent"]["spatial"]["bbox"] == [[1.0, 0.5, 25.0, 12.5]]


def tables_of(client: ApiClient) -> Tables:
    tables: Tables = client.app.apis["features"]._app.app._begun.result().state.tables
    return tables


def let_the_pause_pass(client: ApiClient) -> None:
    """Set the time back at which the app looked last."""
    tables_of(client)._read_at -= 3.0


def test_names_of_strangers_do_not_make_it_read_its_catalogue_again_and_again(client: ApiClient) -> None:
    client.get("/api/features/collections")
    read_at = tables_of(client)._read_at

    answers = client.requests(*[f"/api/features/collections/geo.guess_{n}" for n in range(20)])

    assert {answer.status for answer in answers} == {404}
    assert tables_of(client)._read_at == read_at


def test_only_published_tables_are_served(client: ApiClient, database: Database) -> None:
    publish(database)

    served = client.get("/api/features/collections").json["collections"]
    others = [client.get(f"/api/features/collections/{name}").status for name in ("app.jobs", "pgstac.items")]

    assert [collection["id"] for collection in served] == ["geo.towns"]
    assert others == [404, 404]


def test_features_page_filter_and_come_as_geojson(client: ApiClient, database: Database) -> None:
    publish(database)

    page = client.get(f"{TOWNS}/items?limit=10").json
    [next_page] = [link["href"] for link in page["links"] if link["rel"] == "next"]
    following = client.get(next_page).json
    boxed = client.get(f"{TOWNS}/items?bbox=0,0,3.5,5").json
    filtered = client.get(f"{TOWNS}/items?filter=people%20%3E%202400&filter-lang=cql2-text").json
    one = client.get(f"{TOWNS}/items/7").json

    assert page["numberMatched"] == 25
    assert page["numberReturned"] == 10
    assert {feature["id"] for feature in page["features"]} & {f["id"] for f in following["features"]} == set()
    assert [feature["properties"]["name"] for feature in boxed["features"]] == ["town 1", "town 2", "town 3"]
    assert [feature["id"] for feature in filtered["features"]] == [25]
    assert one["geometry"] == {"type": "Point", "coordinates": [7.0, 3.5]}
    assert next_page.startswith(f"{HOST}{TOWNS}/items")


def test_tiles_are_vector_tiles_with_the_features_in_them(client: ApiClient, database: Database) -> None:
    publish(database)

    tilejson = client.get(f"{TOWNS}/tiles/WebMercatorQuad/tilejson.json").json
    tile = client.get(f"{TOWNS}/tiles/WebMercatorQuad/0/0/0")

    assert tilejson["tiles"][0].startswith(f"{HOST}{TOWNS}/tiles/WebMercatorQuad/")
    assert tile.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert b"town 25" in tile.body


def test_a_table_that_has_gone_is_not_found_rather_than_broken(client: ApiClient, database: Database) -> None:
    publish(database)
    assert client.get(f"{TOWNS}/items").status == 200
    database.execute("DROP TABLE geo.towns")

    first = client.get(f"{TOWNS}/items")
    second = client.get(f"{TOWNS}/items")

    assert first.status == 503
    assert first.headers["retry-after"] == "5"
    assert second.status == 404


def test_a_table_that_was_replaced_is_served_as_it_is_now(client: ApiClient, database: Database) -> None:
    publish(database)
    assert client.get(f"{TOWNS}/items").status == 200
    database.execute("ALTER TABLE geo.towns RENAME COLUMN people TO inhabitants")

    first = client.get(f"{TOWNS}/items")
    second = client.get(f"{TOWNS}/items?limit=1")

    assert first.status == 503
    assert "inhabitants" in second.json["features"][0]["properties"]


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "bbox=1,2", "datetime=yesterday", "filter=x%20%3E&filter-lang=cql2-text", "sortby=nix"],
)
def test_a_query_that_cannot_be_answered_says_why(client: ApiClient, database: Database, query: str) -> None:
    publish(database)

    answer = client.get(f"{TOWNS}/items?{query}")

    assert 400 <= answer.status < 500, (answer.status, answer.body)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "conformance",
    [
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
        "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core",
    ],
)
def test_it_declares_ogc_conformance(client: ApiClient, conformance: str) -> None:
    assert conformance in client.get("/api/features/conformance").json["conformsTo"]


def test_the_document_of_the_api_describes_the_paths_below_its_root(client: ApiClient) -> None:
    landing = client.get("/api/features").json
    [address] = [link["href"] for link in landing["links"] if link["rel"] == "service-desc"]

    document = json.loads(client.get(address).body)

    assert document["openapi"].startswith("3.")
    assert document["servers"][0]["url"] == "/api/features"
    assert "/collections/{collectionId}/items" in document["paths"]


@pytest.mark.parametrize("path", ["/api/features/collections", "/api/stac/collections"])
def test_maps_on_other_sites_may_read(client: ApiClient, path: str) -> None:
    answer = client.get(path, origin="https://maps.example")

    assert answer.headers["access-control-allow-origin"] == "*"
