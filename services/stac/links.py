"""Links of an item to the APIs that show its data.

They are added when an item is served and never stored: addresses change, and a proxy's client
has to see the proxy's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from core.json import JsonObject
from services.stac.models import COG_MEDIA_TYPE
from services.stac.renders import render_parameters

_TILES = "WebMercatorQuad"
_TABLE_SCHEME = "postgis://"
_PREVIEW_PIXELS = 1024


@dataclass(frozen=True)
class ApiAddresses:
    """Where the APIs answer, without slashes at their ends; empty where there is none.

    Args:
        features: E.g. ``https://terrane.example/api/features``.
        raster: E.g. ``https://terrane.example/api/raster``.
    """

    features: str
    raster: str


def item_links(item: JsonObject, apis: ApiAddresses) -> list[JsonObject]:
    """Return the links by which an item's data can be looked at; none for what no API shows."""
    data = item.get("assets", {}).get("data", {})
    href = str(data.get("href", ""))
    if href.startswith(_TABLE_SCHEME) and apis.features:
        return list(_table_links(apis.features, href.removeprefix(_TABLE_SCHEME)))
    if data.get("type") == COG_MEDIA_TYPE and apis.raster and {"id", "collection"} <= item.keys():
        return list(_raster_links(apis.raster, item))
    return []


def collection_links(collection: JsonObject, apis: ApiAddresses) -> list[JsonObject]:
    """Return the links by which a collection of rasters can be seen as one."""
    data = collection.get("item_assets", {}).get("data", {})
    if data.get("type") != COG_MEDIA_TYPE or not apis.raster:
        return []
    base = f"{apis.raster}/collections/{quote(collection['id'], safe='')}"
    query = urlencode([("assets", "data")])
    return [
        _link("tilejson", f"{base}/{_TILES}/tilejson.json?{query}", "application/json", "Mosaic as TileJSON"),
        _link("viewer", f"{base}/{_TILES}/map.html?{query}", "text/html", "Mosaic on a map"),
    ]


def _table_links(features: str, table: str) -> Iterator[JsonObject]:
    base = f"{features}/collections/{quote(table, safe='.')}"
    yield _link("about", base, "application/json", "OGC API Features collection")
    yield _link("features", f"{base}/items", "application/geo+json", "Features as GeoJSON")
    yield _link("preview", f"{base}/viewer.html", "text/html", "Features on a map")
    yield _link("viewer", f"{base}/viewer.html", "text/html", "Features on a map")
    yield _link(
        "tilejson", f"{base}/tiles/{_TILES}/tilejson.json", "application/json", "Vector tiles as TileJSON"
    )
    yield _link("queryables", f"{base}/queryables", "application/schema+json", "What can be filtered by")


def _raster_links(raster: str, item: JsonObject) -> Iterator[JsonObject]:
    base = f"{raster}/collections/{quote(item['collection'], safe='')}/items/{quote(item['id'], safe='')}"
    renders: Mapping[str, JsonObject] = item.get("properties", {}).get("renders", {})
    bands = item["assets"]["data"].get("bands", [])
    default = _query(renders.get("default", {"assets": ["data"]}), bands)
    size = urlencode({"max_size": _PREVIEW_PIXELS})
    yield _link("preview", f"{base}/preview.png?{default}&{size}", "image/png", "Preview")
    if "thumbnail" in item["assets"]:
        yield _link("thumbnail", f"{base}/preview.png?{default}&max_size=256", "image/png", "Thumbnail")
    yield _link("tilejson", f"{base}/{_TILES}/tilejson.json?{default}", "application/json", "TileJSON")
    yield _link("viewer", f"{base}/{_TILES}/map.html?{default}", "text/html", "Map")
    yield _link("wmts", f"{base}/WMTSCapabilities.xml", "application/xml", "WMTS capabilities")
    yield _link("about", f"{base}/info?assets=data", "application/json", "Properties of the COG, as read now")
    for name, render in renders.items():
        if name != "default":
            href = f"{base}/preview.png?{_query(render, bands)}&{size}"
            yield _link("preview", href, "image/png", str(render.get("title", name))) | {"render": name}


def _query(render: JsonObject, bands: list[JsonObject]) -> str:
    return urlencode(render_parameters(render, bands))


def _link(rel: str, href: str, media_type: str, title: str) -> dict[str, Any]:
    return {"rel": rel, "href": href, "type": media_type, "title": title}
