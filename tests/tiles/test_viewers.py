"""The pages with maps need nothing but this server."""

import json
import re
from collections.abc import Iterator

import pytest

from config.settings import DatabaseSettings
from infrastructure.database import Database
from services.stac.items import build_raster_item
from tests.factories.apis import HOST, ApiClient
from tests.factories.catalogue import pgstac_catalogue
from tests.factories.raster_items import raster_item
from tests.fixtures.azurite import AzuriteServer

LOADED = re.compile(r'<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"')
FETCHED = re.compile(r'json\("([^"]+)"\)|const collection = "([^"]+)"|makeMap\("([^"]+)"')
IN_CSS = re.compile(r"url\(([^)#]+)\)")


@pytest.fixture
def client(database_settings: DatabaseSettings, azurite: AzuriteServer) -> Iterator[ApiClient]:
    client = ApiClient(database_settings, azurite.settings())
    yield client
    client.close()


@pytest.fixture
def pages(client: ApiClient, database: Database) -> dict[str, str]:
    """Return the viewers' pages by path."""
    raster = build_raster_item(raster_item(collection_id="system-rasters"))
    pgstac_catalogue(database).write(lambda writer: writer.upsert_items([raster]))
    database.execute("CREATE TABLE geo.towns (fid bigint PRIMARY KEY, name text, geom geometry(Point, 4326))")
    item = f"/api/raster/collections/system-rasters/items/{raster['id']}"
    paths = (
        f"{item}/WebMercatorQuad/map.html?assets=data",
        f"{item}/WGS1984Quad/map.html?assets=data",
        "/api/raster/collections/system-rasters/WebMercatorQuad/map.html?assets=data",
        "/api/features/collections/geo.towns/viewer.html",
    )
    answers = {path: client.get(path) for path in paths}
    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(paths, 200)
    return {path: answer.body.decode() for path, answer in answers.items()}


def test_whatever_a_page_loads_is_served_from_here_and_kept(client: ApiClient, pages: dict[str, str]) -> None:
    for path, page in pages.items():
        loaded = LOADED.findall(page)

        assert len(loaded) == 4, path
        for address in loaded:
            assert address.startswith("/api/"), f"{path} loads {address}"
            answer = client.get(address)
            assert answer.status == 200
            assert answer.headers["cache-control"] == "public, max-age=86400"
            kind = "text/css" if address.endswith(".css") else "javascript"
            assert kind in answer.headers["content-type"]


def test_what_a_page_asks_for_when_it_opens_is_here_too(client: ApiClient, pages: dict[str, str]) -> None:
    for page in pages.values():
        asked = ["".join(found) for found in FETCHED.findall(page)]

        assert len(asked) == 2
        assert all(address.startswith(("/api/", f"{HOST}/api/")) for address in asked)
        [statics] = [address for address in asked if address.endswith("/static")]
        countries = client.get(f"{statics}/countries.json")
        assert len(json.loads(countries.body)) > 150
        assert countries.headers["cache-control"] == "public, max-age=86400"


def test_the_pictures_of_the_style_sheet_are_there(client: ApiClient) -> None:
    folder = "/api/raster/static/leaflet"

    style = client.get(f"{folder}/leaflet.css").body.decode()
    named = set(IN_CSS.findall(style))

    assert named >= {"images/layers.png", "images/marker-icon.png"}
    for picture in named:
        assert client.get(f"{folder}/{picture}").body.startswith(b"\x89PNG")
    assert b"BSD" in client.get(f"{folder}/LICENSE").body


def test_nothing_beside_the_static_files_is_served(client: ApiClient) -> None:
    for path in ("../templates/map.html", "%2e%2e/templates/map.html", "leaflet/../../viewing.py", "nix.js"):
        assert client.get(f"/api/raster/static/{path}").status == 404
