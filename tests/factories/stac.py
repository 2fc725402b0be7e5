"""Small STAC collections and items, made by hand: not by the code that is tested."""

from core.json import JsonObject
from core.ports.catalogue import UNKNOWN_EXTENT


def collection(collection_id: str = "dem", **fields: object) -> JsonObject:
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": collection_id,
        "description": "Elevation.",
        "license": "other",
        "links": [],
        "extent": UNKNOWN_EXTENT,
    } | fields


def item(
    item_id: str = "tile",
    collection_id: str = "dem",
    *,
    bbox: tuple[float, ...] = (10, 50, 11, 51),
    properties: JsonObject | None = None,
) -> JsonObject:
    west, south, east, north = bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": item_id,
        "collection": collection_id,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": list(bbox),
        "properties": {"datetime": "2024-05-01T10:00:00Z"} | (properties or {}),
        "links": [],
        "assets": {"data": {"href": f"https://example.com/{item_id}.tif", "roles": ["data"]}},
    }
