"""OGC API Features and vector tiles: tipg over the published tables."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

import asyncpg
from ciso8601 import parse_rfc3339
from cql2 import Expr
from fastapi import Depends, FastAPI, HTTPException, Path
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from tipg import __version__ as tipg_version
from tipg.collections import Catalog, Collection, register_collection_catalog
from tipg.errors import DEFAULT_STATUS_CODES, NotFound, add_exception_handlers
from tipg.extensions.viewer import viewerExtension
from tipg.factory import Endpoints
from tipg.openapi import _update_openapi
from tipg.settings import DatabaseSettings

from infrastructure.features_bootstrap import FEATURES_SCHEMA
from triggers.apis import viewing
from triggers.apis.failures import add_database_failures, quieten
from triggers.apis.origins import allow_every_origin
from triggers.apis.services import ApiServices

#: The schema of published tables; nothing else is served.
PUBLISHED_SCHEMA: Final = "geo"

_CATALOGUE_SECONDS = 60.0
_REREAD_SECONDS = 2.0

_tables = DatabaseSettings(
    schemas=[PUBLISHED_SCHEMA],
    application_schema=FEATURES_SCHEMA,
    functions=[],
    exclude_function_schemas=[PUBLISHED_SCHEMA],
    only_spatial_tables=True,
)


def create(services: ApiServices) -> FastAPI:
    """Build the app."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.tables = Tables(app)
        async with await services.database.asyncpg_pool() as app.state.pool:
            await app.state.tables.read()
            yield

    app = FastAPI(
        title="Terrane features",
        version=tipg_version,
        openapi_url="/api",
        docs_url="/api.html",
        lifespan=lifespan,
        dependencies=[Depends(readable_query)],
    )
    _update_openapi(app)
    endpoints = Endpoints(
        title="Terrane features",
        # The framework waits for it, whatever the library's annotation says.
        collection_dependency=published_table,  # type: ignore[arg-type]
        extensions=[viewerExtension()],
        templates=viewing.templates("tipg"),
    )
    app.include_router(endpoints.router)
    viewing.add_static_files(app)
    app.add_middleware(RereadsTables)
    add_exception_handlers(app, DEFAULT_STATUS_CODES)
    add_database_failures(app)
    allow_every_origin(app)
    for changed in (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        app.add_exception_handler(changed, _table_changed)
    quieten("tipg.errors")
    return app


class RereadsTables:
    """Lets the app read the tables anew before a request, once they have been known for a while."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            await scope["app"].state.tables.read(older_than=_CATALOGUE_SECONDS)
        await self._app(scope, receive, send)


class Tables:
    """What the app knows of the published tables, read anew when that has become wrong.

    Args:
        app: The app in whose state the library looks for it.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")

    async def read(self, *, older_than: float = _REREAD_SECONDS) -> None:
        """Read the tables, unless that has just been done; strangers' names cost little that way.

        Args:
            older_than: Seconds for which what was read last is good enough.
        """
        async with self._lock:
            if time.monotonic() - self._read_at >= older_than:
                await _read_catalogue(self._app)
                self._read_at = time.monotonic()


def readable_query(request: Request) -> None:
    """Refuse a filter, a box or a time that cannot be read, which the library takes for its own fault.

    Raises:
        HTTPException: The reason, as 400.
    """
    query = request.query_params
    if "filter" in query and query.get("filter-lang", "cql2-text") == "cql2-text":
        _check_filter(query["filter"])
    try:
        for number in query["bbox"].split(",") if "bbox" in query else ():
            float(number)
        for moment in query.get("datetime", "").split("/"):
            if moment not in {"", ".."}:
                parse_rfc3339(moment)
    except ValueError as error:
        raise HTTPException(400, f"The query cannot be read: {error}") from error


def _check_filter(text: str) -> None:
    try:
        Expr(text)
    except Exception as error:  # its parser raises nothing narrower
        raise HTTPException(400, f"The query cannot be read: {error}") from error


async def published_table(
    request: Request,
    collectionId: Annotated[str, Path(description="Table, as schema.name")],  # noqa: N803 - the standard's name
) -> Collection:
    """Return a table; one that is unknown may have been published since the last look.

    Raises:
        NotFound: There is no such table.
    """
    tables: Tables = request.app.state.tables
    if collectionId not in request.app.state.collection_catalog["collections"]:
        await tables.read()
    catalog: Catalog = request.app.state.collection_catalog
    found = catalog["collections"].get(collectionId)
    if found is None:
        raise NotFound(f"Table {collectionId!r} is not published.")
    return found


async def _read_catalogue(app: FastAPI) -> None:
    await register_collection_catalog(app, db_settings=_tables)


async def _table_changed(request: Request, _error: Exception) -> Response:
    await _read_catalogue(request.app)
    return JSONResponse({"detail": "The table was replaced or unpublished just now; ask again."}, 503)
