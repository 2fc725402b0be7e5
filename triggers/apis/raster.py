"""Dynamic rasters: titiler.pgstac over items, collections and searches.

The one place where GDAL is in a process that serves requests. It opens nothing of strangers:
only blobs of the published containers of our own account, which hold COGs that isolated children
wrote, and those by the GTiff driver alone, without looking for files beside them.
"""

import copy
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attr
import morecantile
import rasterio
from fastapi import FastAPI
from pystac import Item
from rio_tiler.errors import InvalidAssetName
from rio_tiler.io import BaseReader, Reader
from rio_tiler.types import AssetInfo, AssetType
from starlette.requests import Request
from starlette.templating import Jinja2Templates
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import AlgorithmFactory, ColorMapFactory, MultiBaseTilerFactory, TMSFactory
from titiler.core.utils import update_openapi
from titiler.extensions.wmts import wmtsExtension
from titiler.mosaic.errors import MOSAIC_STATUS_CODES
from titiler.mosaic.extensions.wmts import wmtsExtension as MosaicWmtsExtension
from titiler.pgstac import __version__ as titiler_version
from titiler.pgstac.dependencies import CollectionIdParams, ItemIdParams, SearchIdParams
from titiler.pgstac.errors import PGSTAC_STATUS_CODES
from titiler.pgstac.extensions import searchInfoExtension
from titiler.pgstac.factory import MosaicTilerFactory, add_search_list_route, add_search_register_route
from titiler.pgstac.reader import PgSTACReader, SimpleSTACReader

from core.json import JsonObject
from infrastructure.gdal_access import PublishedBlobs
from services.stac.models import COG_MEDIA_TYPE
from services.stac.renders import render_parameters
from triggers.apis import viewing
from triggers.apis.failures import add_database_failures, quieten
from triggers.apis.origins import allow_every_origin
from triggers.apis.services import ApiServices

_ITEM = "/collections/{collection_id}/items/{item_id}"
_COLLECTION = "/collections/{collection_id}"
_SEARCH = "/searches/{search_id}"
# Capabilities list every grid of every layer; these are the ones that clients of ours ask for.
_GRIDS = morecantile.TileMatrixSets(
    {name: morecantile.tms.get(name) for name in ("WebMercatorQuad", "WGS1984Quad", "WorldCRS84Quad")}
)
_ERRORS = {**DEFAULT_STATUS_CODES, **MOSAIC_STATUS_CODES, **PGSTAC_STATUS_CODES, InvalidAssetName: 404}


def create(services: ApiServices) -> FastAPI:
    """Build the app."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with services.database.psycopg_pool() as app.state.dbpool:
            yield

    app = FastAPI(
        title="Terrane rasters",
        version=titiler_version,
        openapi_url="/api",
        docs_url="/api.html",
        lifespan=lifespan,
    )
    update_openapi(app)
    templates = viewing.templates("titiler.pgstac", "titiler.core")
    _add_mosaics(app, services.blobs, templates)
    items = MultiBaseTilerFactory(
        reader=_item_reader(services.blobs),
        path_dependency=ItemIdParams,
        environment_dependency=services.blobs.gdal_options,
        router_prefix=_ITEM,
        supported_tms=_GRIDS,
        add_viewer=True,
        get_renders=_item_renders,
        extensions=[wmtsExtension()],
        templates=templates,
    )
    app.include_router(items.router, prefix=_ITEM, tags=["Items"])
    app.include_router(TMSFactory(supported_tms=_GRIDS, templates=templates).router, tags=["Tiling schemes"])
    app.include_router(ColorMapFactory(templates=templates).router, tags=["Colour maps"])
    app.include_router(AlgorithmFactory(templates=templates).router, tags=["Algorithms"])
    app.add_api_route("/", _landing, include_in_schema=False)
    viewing.add_static_files(app)
    add_exception_handlers(app, _ERRORS)
    add_database_failures(app)
    allow_every_origin(app)
    quieten("titiler.core.errors")
    return app


def _add_mosaics(app: FastAPI, blobs: PublishedBlobs, templates: Jinja2Templates) -> None:
    options: dict[str, Any] = {
        "dataset_reader": _mosaic_reader(blobs),
        "environment_dependency": blobs.gdal_options,
        "supported_tms": _GRIDS,
        "add_viewer": True,
        "add_part": True,
        "add_statistics": True,
        "add_ogc_maps": False,
        "get_renders": _mosaic_renders,
        "templates": templates,
    }
    searches = MosaicTilerFactory(
        path_dependency=SearchIdParams,
        router_prefix=_SEARCH,
        extensions=[searchInfoExtension(), MosaicWmtsExtension()],
        **options,
    )
    collections = MosaicTilerFactory(
        path_dependency=CollectionIdParams,
        router_prefix=_COLLECTION,
        extensions=[searchInfoExtension(), MosaicWmtsExtension()],
        **options,
    )
    app.include_router(searches.router, prefix=_SEARCH, tags=["Searches"])
    add_search_list_route(app, prefix="/searches", tags=["Searches"])
    dependencies = (
        searches.layer_dependency,
        searches.dataset_dependency,
        searches.pixel_selection_dependency,
        searches.process_dependency,
        searches.render_dependency,
        searches.assets_accessor_dependency,
        searches.reader_dependency,
        searches.backend_dependency,
    )
    add_search_register_route(
        app, prefix="/searches", tile_dependencies=list(dependencies), tags=["Searches"]
    )
    app.include_router(collections.router, prefix=_COLLECTION, tags=["Collections"])


def _landing(request: Request) -> JsonObject:
    places = {
        "self": ("", "This page", "application/json"),
        "service-desc": ("api", "OpenAPI", "application/vnd.oai.openapi+json;version=3.0"),
        "service-doc": ("api.html", "The API's description as a page", "text/html"),
        "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes": (
            "tileMatrixSets",
            "Grids of tiles",
            "application/json",
        ),
        "data": ("searches/list", "Registered searches", "application/json"),
    }
    links = [
        {"rel": rel, "href": f"{request.base_url}{path}", "title": title, "type": media_type}
        for rel, (path, title, media_type) in places.items()
    ]
    return {"title": "Terrane rasters", "links": links}


@attr.s
class CogReader(Reader):
    """Opens what it is given as a GeoTIFF, whatever it says of itself."""

    def __attrs_post_init__(self) -> None:
        """Open the COG."""
        if not self.dataset:
            self.dataset = self._ctx_stack.enter_context(rasterio.open(self.input, driver="GTiff"))
        super().__attrs_post_init__()  # type: ignore[no-untyped-call]


def _item_reader(blobs: PublishedBlobs) -> type[PgSTACReader]:
    @attr.s
    class PublishedItemReader(PgSTACReader):
        """Reads the COGs of an item."""

        reader: type[BaseReader] = attr.ib(default=CogReader)
        include_asset_types: set[str] = attr.ib(factory=lambda: {COG_MEDIA_TYPE})

        def _get_asset_info(self, asset: AssetType) -> AssetInfo:
            return _readable(super()._get_asset_info(asset), blobs)

    return PublishedItemReader


def _mosaic_reader(blobs: PublishedBlobs) -> type[SimpleSTACReader]:
    @attr.s
    class PublishedMosaicReader(SimpleSTACReader):
        """Reads the COGs of an item of a mosaic."""

        reader: type[BaseReader] = attr.ib(default=CogReader)

        def _get_asset_info(self, asset: AssetType) -> AssetInfo:
            return _readable(super()._get_asset_info(asset), blobs)

    return PublishedMosaicReader


def _readable(info: AssetInfo, blobs: PublishedBlobs) -> AssetInfo:
    """Let GDAL read an asset with the app's identity, if it is ours to read.

    Raises:
        InvalidAssetName: It is no published blob of this account.
    """
    ref = blobs.find(info["url"])
    if ref is None:
        raise InvalidAssetName(f"Asset {info['name']!r} is no published raster of this account.")
    return {**info, "url": f"/vsiaz/{ref.container}/{ref.name}"}


def _item_renders(reader: Any) -> dict[str, JsonObject]:
    item: Item = reader.item
    bands = item.assets["data"].extra_fields.get("bands", []) if "data" in item.assets else []
    return {name: _as_query(render, bands) for name, render in item.properties.get("renders", {}).items()}


def _as_query(render: JsonObject, bands: list[JsonObject]) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for name, value in render_parameters(render, bands):
        query.setdefault(name, []).append(value)
    return {name: values if name in {"assets", "rescale"} else values[0] for name, values in query.items()}


def _mosaic_renders(backend: Any) -> Mapping[str, JsonObject]:
    return copy.deepcopy(backend.info().metadata.defaults_params or {})
