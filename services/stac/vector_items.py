"""The STAC item of a published table."""

from core.json import JsonObject, to_jsonable
from services.stac.models import VectorItem
from services.stac.parts import (
    finite,
    links,
    present,
    provenance_properties,
    thumbnail_asset,
    time_properties,
)
from services.stac.versions import STAC_VERSION, used_extensions

_SCHEME = "postgis://"


def build_vector_item(vector: VectorItem) -> JsonObject:
    """Return the item, to be stored as it is; the API adds links to the features and tiles of its table.

    Raises:
        ValueError: A coordinate is not finite.
    """
    item: JsonObject = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [],
        "id": vector.item_id,
        "collection": vector.collection_id,
        "geometry": to_jsonable(vector.geometry),
        "bbox": finite(vector.bbox),
        "properties": _properties(vector),
        "links": links(vector.collection_id, vector.source),
        "assets": _assets(vector),
    }
    item["stac_extensions"] = used_extensions(item)
    return item


def _properties(vector: VectorItem) -> JsonObject:
    properties = {
        **vector.properties,
        **time_properties(vector.acquired, vector.source),
        "title": vector.title,
        "description": vector.description,
        **provenance_properties(vector.provenance),
        "table:columns": [present(column.model_dump()) for column in vector.columns],
        "table:primary_geometry": vector.geometry_column,
        "table:row_count": vector.rows,
    }
    return {"datetime": properties["datetime"]} | present(properties)


def _assets(vector: VectorItem) -> JsonObject:
    data = {
        "href": _SCHEME + vector.table,
        "title": vector.table,
        "description": "Table in PostGIS.",
        "roles": ["data"],
        "proj:code": vector.proj_code,
        "proj:bbox": finite(vector.proj_bbox) if vector.proj_bbox else None,
    }
    assets: JsonObject = {"data": present(data)}
    if vector.thumbnail:
        assets["thumbnail"] = thumbnail_asset(vector.thumbnail)
    return assets
