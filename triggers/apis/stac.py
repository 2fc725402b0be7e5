"""The STAC API: stac-fastapi-pgstac, with links to the APIs that show the data."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attr
from fastapi import FastAPI
from stac_fastapi.extensions import TransactionExtension
from stac_fastapi.pgstac.app import instantiate_api
from stac_fastapi.pgstac.config import Settings
from stac_fastapi.pgstac.core import CoreCrudClient
from stac_fastapi.pgstac.db import get_connection
from stac_fastapi.pgstac.models.extensions import Extensions
from stac_fastapi.types.extension import ApiExtension
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from core.json import JsonObject
from services.stac.links import ApiAddresses, collection_links, item_links
from triggers.apis.failures import add_database_failures, add_unreadable, quieten
from triggers.apis.services import ApiServices
from triggers.apis.transactions import CatalogueTransactions

_ID = "terrane"
_TITLE = "Terrane"
_DESCRIPTION = "Rasters and vectors that Terrane published."


def create(services: ApiServices) -> FastAPI:
    """Build the app."""
    settings = Settings(
        _env_file=None,
        stac_fastapi_title=_TITLE,
        stac_fastapi_description=_DESCRIPTION,
        stac_fastapi_landing_id=_ID,
        stac_fastapi_version=services.version,
        enable_transactions_extensions=services.transactions,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = services
        app.state.get_connection = get_connection
        async with await services.database.asyncpg_pool() as app.state.readpool:
            yield

    extensions = WithTransactions(settings=settings, services=services)
    api = instantiate_api(LinkingClient, extensions, lifespan, settings)
    app: FastAPI = api.app
    add_database_failures(app)
    add_unreadable(app, json.JSONDecodeError)
    quieten("stac_fastapi.api.errors")
    return app


@attr.s
class LinkingClient(CoreCrudClient):
    """The library's client; what it serves carries links to the other APIs."""

    title: str = attr.ib(default=_TITLE)
    description: str = attr.ib(default=_DESCRIPTION)
    landing_page_id: str = attr.ib(default=_ID)

    async def _search_base(self, search_request: Any, request: Request) -> Any:
        found = await super()._search_base(search_request, request)
        apis = _addresses(request)
        for item in found["features"]:
            # A client may have asked for items without links.
            if "links" in item:
                item["links"] += item_links(item, apis)
        return found

    async def post_search(self, search_request: Any, request: Request, **options: Any) -> Any:
        """Return the items that a search finds."""
        return _as_geojson(await super().post_search(search_request, request, **options))

    async def get_search(self, request: Request, **options: Any) -> Any:
        """Return the items that a search finds."""
        return _as_geojson(await super().get_search(request, **options))

    async def item_collection(self, collection_id: str, request: Request, **options: Any) -> Any:
        """Return items of a collection."""
        return _as_geojson(await super().item_collection(collection_id, request, **options))

    async def get_collection(self, collection_id: str, request: Request, **options: Any) -> Any:
        """Return a collection."""
        collection = await super().get_collection(collection_id, request, **options)
        _link(collection, request)
        return collection

    async def all_collections(self, request: Request, **options: Any) -> Any:
        """Return the collections that a search finds."""
        found = await super().all_collections(request, **options)
        # With `fields` the library answers text, of which nobody knows what is in it.
        for collection in found["collections"] if isinstance(found, dict) else ():
            _link(collection, request)
        return found


class WithTransactions(Extensions):
    """The library's extensions, with transactions through this catalogue's own writer."""

    def __init__(self, settings: Settings, services: ApiServices) -> None:
        self._services = services
        super().__init__(settings=settings)

    @property
    def transaction(self) -> list[ApiExtension]:
        """Return the transaction extension, if transactions are allowed."""
        if not self._services.transactions:
            return []
        client = CatalogueTransactions(self._services.changes)
        return [WholeDocuments(client=client, settings=self.settings, response_class=JSONResponse)]


class WholeDocuments(TransactionExtension):
    """The transaction extension without patches."""

    def register_patch_item(self) -> None:
        """Offer no patches of items."""

    def register_patch_collection(self) -> None:
        """Offer no patches of collections."""


def _as_geojson(found: Any) -> Any:
    # With `fields` the library answers by itself, and forgets what it is.
    if isinstance(found, Response):
        found.headers["content-type"] = "application/geo+json"
    return found


def _link(collection: JsonObject, request: Request) -> None:
    collection["links"] += collection_links(collection, _addresses(request))


def _addresses(request: Request) -> ApiAddresses:
    services: ApiServices = request.app.state.services
    beside = str(request.base_url).rstrip("/").rpartition("/")[0]
    features, raster = services.features_url, services.raster_url
    return ApiAddresses(
        features=f"{beside}/features" if features is None else features,
        raster=f"{beside}/raster" if raster is None else raster,
    )
