"""The STAC API over a catalogue of our own."""

from collections.abc import Iterator

import pytest

from config.settings import DatabaseSettings
from core.json import JsonObject
from infrastructure.database import Database
from services.stac.items import build_raster_item
from tests.factories.apis import HOST, ApiClient
from tests.factories.catalogue import pgstac_catalogue
from tests.factories.raster_items import raster_item
from tests.factories.stac import collection, item
from tests.stac_validation import assert_valid_collection, assert_valid_item

STAC = f"{HOST}/api/stac"


@pytest.fixture
def client(database_settings: DatabaseSettings) -> Iterator[ApiClient]:
    client = ApiClient(database_settings, transactions=True)
    yield client
    client.close()


@pytest.fixture
def reader(database_settings: DatabaseSettings) -> Iterator[ApiClient]:
    client = ApiClient(database_settings)
    yield client
    client.close()


def links(document: JsonObject, rel: str) -> list[str]:
    return [link["href"] for link in document["links"] if link["rel"] == rel]


def test_it_declares_what_the_interface_promises(reader: ApiClient) -> None:
    landing = reader.get("/api/stac").json

    assert landing["id"] == "terrane"
    for conformance in (
        "https://api.stacspec.org/v1.0.0/core",
        "https://api.stacspec.org/v1.0.0/collections",
        "https://api.stacspec.org/v1.0.0/ogcapi-features",
        "https://api.stacspec.org/v1.0.0/item-search",
        "https://api.stacspec.org/v1.1.0/item-search#sort",
        "https://api.stacspec.org/v1.0.0/item-search#fields",
        "https://api.stacspec.org/v1.0.0/item-search#query",
        "https://api.stacspec.org/v1.0.0-rc.2/item-search#filter",
    ):
        assert conformance in landing["conformsTo"], conformance
    assert not [uri for uri in landing["conformsTo"] if "transaction" in uri]


def test_what_is_served_is_valid(reader: ApiClient, database: Database) -> None:
    catalogue = pgstac_catalogue(database)
    raster = build_raster_item(raster_item(collection_id="system-rasters"))
    catalogue.write(lambda writer: writer.upsert_items([raster]))

    items = reader.get("/api/stac/collections/system-rasters/items").json["features"]
    collections = reader.get("/api/stac/collections").json["collections"]

    assert len(items) == 1
    assert len(collections) == 3
    for found in items:
        assert_valid_item(found)
    for found in collections:
        assert_valid_collection(found)


def test_rasters_link_to_the_raster_api_beside_it(reader: ApiClient, database: Database) -> None:
    raster = build_raster_item(raster_item(collection_id="system-rasters"))
    pgstac_catalogue(database).write(lambda writer: writer.upsert_items([raster]))

    served = reader.get(f"/api/stac/collections/system-rasters/items/{raster['id']}").json

    [viewer] = links(served, "viewer")
    assert viewer.startswith(f"{HOST}/api/raster/collections/system-rasters/items/{raster['id']}/")
    stored = pgstac_catalogue(database).reader.get_item("system-rasters", raster["id"])
    assert stored is not None
    assert links(stored, "viewer") == []


def test_a_search_that_leaves_links_out_gets_none(reader: ApiClient, database: Database) -> None:
    catalogue = pgstac_catalogue(database)
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items([item()]))

    [found] = reader.get("/api/stac/search?fields=id,-links").json["features"]

    assert "links" not in found


def test_search_filters_sorts_and_pages(reader: ApiClient, database: Database) -> None:
    catalogue = pgstac_catalogue(database)
    tiles = [
        item(f"tile-{number}", bbox=(number, 0, number + 1, 1), properties={"gsd": number})
        for number in range(10)
    ]
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    catalogue.write(lambda writer: writer.upsert_items(tiles))

    filtered = reader.get("/api/stac/search?filter=gsd%20%3E%207&filter-lang=cql2-text&sortby=-gsd").json
    boxed = reader.get("/api/stac/search?bbox=0.5,0,1.5,1").json
    posted = reader.request(
        "POST",
        "/api/stac/search",
        {"query": {"gsd": {"lt": 2}}, "sortby": [{"field": "gsd", "direction": "asc"}]},
    ).json
    paged, page = [], reader.get("/api/stac/search?limit=4&sortby=gsd").json
    while True:
        paged += [found["id"] for found in page["features"]]
        following = links(page, "next")
        if not following:
            break
        page = reader.get(following[0]).json

    assert [found["id"] for found in filtered["features"]] == ["tile-9", "tile-8"]
    assert {found["id"] for found in boxed["features"]} == {"tile-0", "tile-1"}
    assert [found["id"] for found in posted["features"]] == ["tile-0", "tile-1"]
    assert paged == [f"tile-{number}" for number in range(10)]


def test_whatever_fields_are_asked_for_the_answer_is_geojson(reader: ApiClient, database: Database) -> None:
    raster = build_raster_item(raster_item(collection_id="system-rasters"))
    pgstac_catalogue(database).write(lambda writer: writer.upsert_items([raster]))

    answers = [
        reader.get("/api/stac/search?fields=id"),
        reader.get("/api/stac/collections/system-rasters/items?fields=-geometry"),
        reader.request("POST", "/api/stac/search", {"fields": {"include": ["properties.datetime"]}}),
    ]

    assert [answer.headers["content-type"] for answer in answers] == ["application/geo+json"] * 3
    assert [len(answer.json["features"]) for answer in answers] == [1] * 3


@pytest.mark.parametrize(
    ("bbox", "found"),
    [
        ([0.5, 0, 1.5, 1], {"west"}),
        ([0.5, 0, -100, 1.5, 1, 9000], {"west"}),
        ([170, 0, -170, 1], {"fiji"}),
        ([170, 0, -100, -170, 1, 9000], {"fiji"}),
        ([-180, -90, 180, 90], {"west", "fiji"}),
    ],
)
def test_boxes_may_have_heights_and_cross_the_antimeridian(
    reader: ApiClient, database: Database, bbox: list[float], found: set[str]
) -> None:
    catalogue = pgstac_catalogue(database)
    catalogue.write(lambda writer: writer.ensure_collection(collection()))
    items = [item("west", bbox=(0, 0, 1, 1)), item("fiji", bbox=(177, 0, 178, 1))]
    catalogue.write(lambda writer: writer.upsert_items(items))

    asked = reader.get(f"/api/stac/search?bbox={','.join(map(str, bbox))}")
    posted = reader.request("POST", "/api/stac/search", {"bbox": bbox})
    listed = reader.get(f"/api/stac/collections/dem/items?bbox={','.join(map(str, bbox))}")

    for answer in (asked, posted, listed):
        assert answer.status == 200, answer.body
        assert {one["id"] for one in answer.json["features"]} == found


@pytest.mark.parametrize(
    "query",
    [
        "filter=gsd%20%3E&filter-lang=cql2-text",
        "bbox=1,2,3",
        "datetime=yesterday",
        "limit=abc",
        "bbox=1,1,0,0,5",
        "sortby=%00",
        "intersects=nonsense",
        "query=nonsense",
        "token=nonsense",
        "collections=%00",
    ],
)
def test_a_search_that_cannot_be_answered_says_why(reader: ApiClient, query: str) -> None:
    answer = reader.get(f"/api/stac/search?{query}")

    assert answer.status in {400, 422}, (answer.status, answer.body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["detail"]


def test_collections_and_items_come_and_go_through_the_api(client: ApiClient, database: Database) -> None:
    made = client.request("POST", "/api/stac/collections", collection("user"))
    again = client.request("POST", "/api/stac/collections", collection("user"))
    added = client.request("POST", "/api/stac/collections/user/items", item("one", "user"))
    busy = client.request("DELETE", "/api/stac/collections/user", None)
    extent = client.get("/api/stac/collections/user").json["extent"]
    gone = client.request("DELETE", "/api/stac/collections/user/items/one", None)
    empty = client.request("DELETE", "/api/stac/collections/user", None)

    assert [answer.status for answer in (made, again, added, busy, gone, empty)] == [
        201,
        409,
        201,
        409,
        200,
        200,
    ]
    assert extent["spatial"]["bbox"] == [[10, 50, 11, 51]]
    assert pgstac_catalogue(database).reader.get_collection("user") is None


def test_what_a_job_published_is_not_changed_behind_its_back(client: ApiClient, database: Database) -> None:
    published = item("one", "system-rasters", properties={"app:job_id": "7" * 64})
    pgstac_catalogue(database).write(lambda writer: writer.upsert_items([published]))
    path = "/api/stac/collections/system-rasters/items/one"

    deleted = client.request("DELETE", path, None)
    replaced = client.request("PUT", path, item("one", "system-rasters"))
    pretended = client.request("POST", path.removesuffix("/one"), {**published, "id": "two"})

    assert (deleted.status, replaced.status, pretended.status) == (409, 409, 400)
    assert "7" * 64 in deleted.json["detail"]
    assert pgstac_catalogue(database).reader.get_item("system-rasters", "one") == published


def test_an_item_of_no_collection_and_a_nameless_one_are_refused(client: ApiClient) -> None:
    lost = client.request("POST", "/api/stac/collections/nowhere/items", item("one", "nowhere"))
    mismatched = client.request("POST", "/api/stac/collections/system-rasters/items", item("one", "other"))

    assert (lost.status, mismatched.status) == (404, 400)


def test_without_the_setting_nothing_can_be_written(reader: ApiClient) -> None:
    assert reader.request("POST", "/api/stac/collections", collection("user")).status == 405
