"""What is published can be looked at through the links of its item."""

import http.client
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from pystac_client import Client

from local.binaries import CHECKOUT
from tests.acceptance.vector_jobs import submit
from tests.stac_validation import assert_valid_collection, assert_valid_item

if TYPE_CHECKING:
    from tests.acceptance.conftest import RunningSystem

COUNTRIES = CHECKOUT / "samples" / "countries.zip"
SAMPLES = sorted((CHECKOUT / "samples").glob("*.tif"))
PNG = b"\x89PNG\r\n\x1a\n"
PROXY = "maps.test"


@dataclass(frozen=True)
class Page:
    """What was found at an address."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True)
class Browser:
    """Follows links, directly or as a client behind a proxy would.

    Args:
        address: Host and port of the Functions host.
        through_proxy: Whether requests carry what a proxy at `PROXY` says of itself.
    """

    address: str
    through_proxy: bool

    def open(self, href: str) -> Page:
        parts = urlsplit(href)
        headers = {}
        if self.through_proxy:
            assert (parts.scheme, parts.netloc) == ("https", PROXY), href
            headers = {"X-Forwarded-Host": PROXY, "X-Forwarded-Proto": "https"}
        else:
            assert parts.netloc == self.address, href
        connection = http.client.HTTPConnection(self.address, timeout=90)
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        response = connection.getresponse()
        page = Page(response.status, response.headers.get_content_type(), response.read())
        connection.close()
        return page

    def json(self, href: str) -> Any:
        page = self.open(href)
        assert page.status == 200, (href, page.body[:500])
        return json.loads(page.body)

    @property
    def home(self) -> str:
        return f"https://{PROXY}/api" if self.through_proxy else f"http://{self.address}/api"


@pytest.fixture(params=[False, True], ids=["directly", "through a proxy"])
def browser(request: pytest.FixtureRequest, terrane: "RunningSystem") -> Browser:
    for sample in SAMPLES:
        name = f"catalogue/{sample.name}"
        with terrane.blobs as service:
            blob = service.get_blob_client("bronze-rasters", name)
            if not blob.exists():
                blob.upload_blob(sample.read_bytes())
        receipt = terrane.submit("process_raster_v2", container_name="bronze-rasters", blob_name=name)
        job = terrane.ended(receipt.body["job_id"])
        assert job["status"] == "completed", job["error"]
    content = COUNTRIES.read_bytes()
    receipt = submit(terrane, content, file_extension="zip", table_name="catalogue_countries")
    job = terrane.ended(receipt.body["job_id"])
    assert job["status"] == "completed", job["error"]
    return Browser(urlsplit(terrane.variables["TERRANE_URL"]).netloc, request.param)


def links(document: dict[str, Any], *rels: str) -> list[dict[str, Any]]:
    return [link for link in document["links"] if not rels or link["rel"] in rels]


def items(browser: Browser) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.json(f"{browser.home}/stac/search?limit=100")["features"]
    return found


def test_every_link_of_every_item_opens(browser: Browser) -> None:
    followed = []
    for item in items(browser):
        # The source lies in a store that asks for an identity.
        for link in (link for link in links(item) if link["rel"] != "derived_from"):
            page = browser.open(link["href"])
            assert page.status == 200, (link, page.body[:500])
            assert page.media_type == link["type"] or link["rel"] in {
                "self",
                "root",
                "collection",
                "parent",
            }, link
            assert page.body
            followed.append(link["rel"])

    assert {"preview", "thumbnail", "tilejson", "viewer", "wmts", "about", "self", "collection"} <= set(
        followed
    )


def test_pictures_maps_and_tiles_come_from_the_links(browser: Browser) -> None:
    [raster, *_] = [item for item in items(browser) if "jacksboro" in item["id"]]
    [preview, *_] = links(raster, "preview")
    [tilejson] = links(raster, "tilejson")

    described = browser.json(tilejson["href"])
    longitude, latitude, zoom = described["center"]
    x, y = tile_at(longitude, latitude, int(zoom))
    tile = described["tiles"][0].format(z=int(zoom), x=x, y=y)

    assert browser.open(preview["href"]).body.startswith(PNG)
    assert browser.open(tile).body.startswith(PNG)


def test_every_link_of_the_landing_pages_opens(browser: Browser) -> None:
    for api in ("stac", "features", "raster"):
        landing = browser.json(f"{browser.home}/{api}")
        for link in links(landing):
            if link.get("templated") or link.get("method") == "POST":
                continue
            page = browser.open(link["href"])
            assert page.status == 200, (link, page.body[:500])


def test_collections_open_as_mosaics_and_are_valid(browser: Browser) -> None:
    collections = browser.json(f"{browser.home}/stac/collections")["collections"]

    for collection in collections:
        assert_valid_collection(collection)
        for link in links(collection):
            assert browser.open(link["href"]).status == 200, link
    for item in items(browser):
        assert_valid_item(item)
    assert "system-rasters" in {collection["id"] for collection in collections}


def test_a_tables_features_and_tiles_come_from_the_links(browser: Browser) -> None:
    [table] = [item for item in items(browser) if "catalogue_countries" in json.dumps(item["assets"])]
    [features] = links(table, "features")
    [tilejson] = links(table, "tilejson")

    found = browser.json(f"{features['href']}?limit=200")
    tile = browser.json(tilejson["href"])["tiles"][0].format(z=0, x=0, y=0)

    assert found["numberMatched"] == 177
    assert browser.open(tile).media_type == "application/vnd.mapbox-vector-tile"
    assert "geo:iso3" in table["properties"]


def test_the_fields_own_client_walks_the_catalogue(browser: Browser) -> None:
    if browser.through_proxy:
        # The client sends no headers of a proxy that is not there; the other half is for it.
        browser = Browser(browser.address, through_proxy=False)

    client = Client.open(f"{browser.home}/stac")
    collections = {collection.id: collection for collection in client.get_collections()}
    found = list(client.search(collections=["system-rasters"], max_items=50).items())
    coarse = {"op": ">", "args": [{"property": "gsd"}, 1000]}
    filtered = client.search(filter=coarse).item_collection()

    assert {"system-rasters", "system-vectors", "system-h3-grids"} <= collections.keys()
    assert found
    for item in found:
        parent = item.get_collection()
        assert parent is not None
        assert parent.id == "system-rasters"
    assert [item.id for item in filtered] == [
        item.id for item in found if item.properties.get("gsd", 0) > 1000
    ]
    assert client.conforms_to("ITEM_SEARCH")
    assert client.conforms_to("FILTER")


def tile_at(longitude: float, latitude: float, zoom: int) -> tuple[int, int]:
    """Return column and row of a web mercator tile.

    Source:
        OpenStreetMap wiki, "Slippy map tilenames".
    """
    count = 2**zoom
    radians = math.radians(latitude)
    return int((longitude + 180) / 360 * count), int(
        (1 - math.asinh(math.tan(radians)) / math.pi) / 2 * count
    )
