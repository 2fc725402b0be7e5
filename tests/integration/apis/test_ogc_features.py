"""What OGC API - Features, Part 1 (core and GeoJSON) demands, requirement by requirement."""

from collections.abc import Iterator
from typing import Any

import pytest

from config.settings import DatabaseSettings
from core.json import JsonObject
from infrastructure.database import Database
from tests.factories.apis import HOST, ApiClient
from tests.stac_validation import assert_valid_feature

ROOT = "/api/features"
VISITS = f"{ROOT}/collections/geo.visits"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


@pytest.fixture
def client(database_settings: DatabaseSettings, database: Database) -> Iterator[ApiClient]:
    """Serve 25 points on a line, one a day, and a polygon that is stored in another CRS."""
    database.execute(
        "CREATE TABLE geo.visits (fid bigint PRIMARY KEY, name text, visited timestamptz,"
        " geom geometry(Geometry, 4326))"
    )
    database.execute(
        "INSERT INTO geo.visits SELECT n, 'visit ' || n, '2024-01-01T00:00:00Z'::timestamptz"
        " + n * '1 day'::interval,"
        " ST_SetSRID(ST_MakePoint(n, n / 2.0), 4326) FROM generate_series(1, 25) AS n"
    )
    database.execute("CREATE TABLE geo.fields (fid bigint PRIMARY KEY, geom geometry(Polygon, 32633))")
    database.execute(
        "INSERT INTO geo.fields VALUES (1, ST_MakeEnvelope(500000, 5500000, 501000, 5501000, 32633))"
    )
    client = ApiClient(database_settings)
    yield client
    client.close()


def links(document: JsonObject, rel: str) -> list[JsonObject]:
    return [link for link in document["links"] if link["rel"] == rel]


def ids(document: JsonObject) -> list[int]:
    return [feature["id"] for feature in document["features"]]


def get(client: ApiClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status == 200, (path, answer.body)
    return answer.json


def test_core_root(client: ApiClient) -> None:
    landing = get(client, ROOT)

    for rel in ("self", "service-desc", "service-doc", "conformance", "data"):
        [link, *_] = links(landing, rel)
        assert link["href"].startswith(f"{HOST}{ROOT}")
        assert client.get(link["href"]).status == 200, rel


def test_core_api_definition(client: ApiClient) -> None:
    [link] = links(get(client, ROOT), "service-desc")

    answer = client.get(link["href"])

    assert answer.headers["content-type"].startswith("application/vnd.oai.openapi+json;version=3")
    assert "/collections/{collectionId}/items" in answer.json["paths"]


def test_core_conformance(client: ApiClient) -> None:
    declared = get(client, f"{ROOT}/conformance")["conformsTo"]

    for part in ("core", "oas30", "geojson"):
        assert f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{part}" in declared


def test_core_collections(client: ApiClient) -> None:
    listed = get(client, f"{ROOT}/collections")

    assert links(listed, "self")
    assert {one["id"] for one in listed["collections"]} == {"geo.visits", "geo.fields"}
    for one in listed["collections"]:
        alone = get(client, f"{ROOT}/collections/{one['id']}")
        assert alone["id"] == one["id"]
        assert alone["extent"] == one["extent"]
        [items, *_] = links(alone, "items")
        assert items["type"] == "application/geo+json"
        assert get(client, items["href"])["type"] == "FeatureCollection"


def test_core_extent_is_in_degrees_whatever_the_table_is_in(client: ApiClient) -> None:
    extent = get(client, f"{ROOT}/collections/geo.fields")["extent"]["spatial"]

    [[west, south, east, north]] = extent["bbox"]
    assert extent["crs"] == CRS84
    assert (west, south) == pytest.approx((15.0, 49.65), abs=0.01)
    assert (east, north) == pytest.approx((15.014, 49.66), abs=0.01)


@pytest.mark.parametrize("table", ["geo.visits", "geo.fields"])
def test_geojson_features_are_valid_and_in_degrees(client: ApiClient, table: str) -> None:
    answer = client.get(f"{ROOT}/collections/{table}/items")

    assert answer.headers["content-type"] == "application/geo+json"
    for feature in answer.json["features"]:
        assert_valid_feature(feature)
        single = client.get(f"{ROOT}/collections/{table}/items/{feature['id']}")
        assert single.headers["content-type"] == "application/geo+json"
        assert_valid_feature(single.json)
        assert single.json["geometry"] == feature["geometry"]
        assert links(single.json, "self")
        assert links(single.json, "collection")
    if table == "geo.fields":
        [longitude, latitude] = answer.json["features"][0]["geometry"]["coordinates"][0][0]
        assert (longitude, latitude) == pytest.approx((15.0, 49.65), abs=0.01)


@pytest.mark.parametrize(("limit", "returned"), [(1, 1), (7, 7), (25, 25), (1000, 25)])
def test_core_limit(client: ApiClient, limit: int, returned: int) -> None:
    page = get(client, f"{VISITS}/items?limit={limit}")

    assert (page["numberReturned"], len(page["features"]), page["numberMatched"]) == (returned, returned, 25)
    assert bool(links(page, "next")) == (returned < 25)


def test_core_paging_shows_every_feature_once(client: ApiClient) -> None:
    seen, page = [], get(client, f"{VISITS}/items?limit=7")
    while True:
        seen += ids(page)
        following = links(page, "next")
        if not following:
            break
        page = get(client, following[0]["href"])

    assert sorted(seen) == list(range(1, 26))
    assert links(page, "prev")


@pytest.mark.parametrize(
    ("bbox", "found"),
    [("0,0,3.5,5", [1, 2, 3]), ("0,0,-10,3.5,5,10", [1, 2, 3]), ("100,50,110,60", [])],
)
def test_core_bbox(client: ApiClient, bbox: str, found: list[int]) -> None:
    assert ids(get(client, f"{VISITS}/items?bbox={bbox}")) == found


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        ("2024-01-04T00:00:00Z", [3]),
        ("2024-01-03T00:00:00Z/2024-01-05T12:00:00Z", [2, 3, 4]),
        ("../2024-01-03T00:00:00Z", [1, 2]),
        ("2024-01-25T00:00:00Z/..", [24, 25]),
    ],
)
def test_core_datetime(client: ApiClient, moment: str, found: list[int]) -> None:
    assert ids(get(client, f"{VISITS}/items?datetime={moment}")) == found


def test_core_filters_by_properties(client: ApiClient) -> None:
    assert ids(get(client, f"{VISITS}/items?name=visit%207")) == [7]


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "bbox=1,2,3", "bbox=a,b,c,d", "datetime=soon"])
def test_core_invalid_parameters(client: ApiClient, query: str) -> None:
    assert client.get(f"{VISITS}/items?{query}").status in (400, 422)


@pytest.mark.parametrize("path", ["collections/geo.nothing", "collections/geo.visits/items/999", "nothing"])
def test_core_what_is_not_there(client: ApiClient, path: str) -> None:
    assert client.get(f"{ROOT}/{path}").status == 404
