"""STAC collections: the system's own, and those that come with a user's first item."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import Field

from core.json import JsonObject
from core.ports.catalogue import UNKNOWN_EXTENT
from services.stac.models import COG_MEDIA_TYPE, StacModel
from services.stac.versions import STAC_VERSION, used_extensions

#: What STAC 1.1.0 says where no licence of the SPDX list is known.
UNKNOWN_LICENCE: Final = "other"

RASTER_ITEM_ASSETS: Final[JsonObject] = {
    "data": {
        "type": COG_MEDIA_TYPE,
        "title": "Data",
        "description": "Cloud Optimized GeoTIFF with the values.",
        "roles": ["data"],
    },
    "thumbnail": {"type": "image/png", "title": "Thumbnail", "roles": ["thumbnail"]},
}
VECTOR_ITEM_ASSETS: Final[JsonObject] = {
    "data": {"title": "Table", "description": "Table in PostGIS.", "roles": ["data"]},
    "thumbnail": {"type": "image/png", "title": "Thumbnail", "roles": ["thumbnail"]},
}


class Provider(StacModel):
    """Who is behind the data."""

    name: str
    description: str | None = None
    roles: tuple[str, ...] = ()
    url: str | None = None


class CollectionDescription(StacModel):
    """What a collection says of itself.

    Args:
        licence: An SPDX identifier, or ``other``.
        extent: STAC's extent, if it is known before there are items.
    """

    collection_id: str
    title: str | None = None
    description: str = Field(min_length=1)
    licence: str = Field(default=UNKNOWN_LICENCE, pattern=r"^[\w.+-]+$")
    keywords: tuple[str, ...] = ()
    providers: tuple[Provider, ...] = ()
    item_assets: JsonObject = Field(default={})
    summaries: JsonObject = Field(default={})
    extent: JsonObject | None = None


_PROCESSOR: Final = Provider(
    name="Terrane", description="Serverless geospatial ETL that made the data.", roles=("processor", "host")
)
_SYSTEM: Final[dict[str, dict[str, Any]]] = {
    "system-rasters": {
        "title": "Rasters",
        "description": "Rasters published as Cloud Optimized GeoTIFFs, one item a raster.",
        "keywords": ("raster", "cog"),
        "item_assets": RASTER_ITEM_ASSETS,
    },
    "system-vectors": {
        "title": "Vectors",
        "description": "Vector data sets published as PostGIS tables, one item a table.",
        "keywords": ("vector", "postgis"),
        "item_assets": VECTOR_ITEM_ASSETS,
    },
    "system-h3-grids": {
        "title": "H3 grids",
        "description": "Hexagonal grids of the H3 system in PostGIS tables, one item a grid.",
        "keywords": ("h3", "grid", "hexagon", "postgis"),
        "item_assets": VECTOR_ITEM_ASSETS,
    },
}


def build_collection(collection: CollectionDescription) -> JsonObject:
    """Return a collection, to be stored as it is; the API adds its links.

    Its extent is unknown unless given: the catalogue sets it with the first item.
    """
    document: JsonObject = {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "stac_extensions": [],
        "id": collection.collection_id,
        "title": collection.title or collection.collection_id,
        "description": collection.description,
        "license": collection.licence,
        "keywords": list(collection.keywords),
        "providers": [_provider(provider) for provider in (*collection.providers, _PROCESSOR)],
        "extent": collection.extent or UNKNOWN_EXTENT,
        "summaries": collection.summaries,
        "item_assets": collection.item_assets,
        "links": [],
    }
    document["stac_extensions"] = used_extensions(document)
    return document


def raster_collection(collection_id: str, description: str | None = None) -> JsonObject:
    """Return the collection that is made for the first raster of a user's collection."""
    return build_collection(
        CollectionDescription(
            collection_id=collection_id,
            description=description or f"Rasters of the collection {collection_id}.",
            keywords=("raster", "cog"),
            item_assets=RASTER_ITEM_ASSETS,
        )
    )


def vector_collection(collection_id: str, description: str | None = None) -> JsonObject:
    """Return the collection that is made for the first table of a user's collection."""
    return build_collection(
        CollectionDescription(
            collection_id=collection_id,
            description=description or f"Vector data sets of the collection {collection_id}.",
            keywords=("vector", "postgis"),
            item_assets=VECTOR_ITEM_ASSETS,
        )
    )


def system_collections(collection_ids: Sequence[str]) -> list[JsonObject]:
    """Return the system's own collections.

    Raises:
        KeyError: There is no description of one of them.
    """
    return [
        build_collection(CollectionDescription(collection_id=collection_id, **_SYSTEM[collection_id]))
        for collection_id in collection_ids
    ]


def _provider(provider: Provider) -> JsonObject:
    fields = provider.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in fields.items() if value}
