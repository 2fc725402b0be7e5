"""The routes of the reading APIs: whatever lies below a prefix goes to the app of that name."""

import azure.functions as func

from config.settings import CatalogueSettings
from triggers.bootstrap import app
from triggers.http.errors import problems_as_json

blueprint = func.Blueprint()

_settings = CatalogueSettings()
_READING = func.AuthLevel.FUNCTION if _settings.keyed else func.AuthLevel.ANONYMOUS
_READ_METHODS = ["GET", "HEAD", "OPTIONS"]


async def stac(req: func.HttpRequest) -> func.HttpResponse:
    """Answer as the STAC API."""
    return await _answer("stac", req)


async def stac_search(req: func.HttpRequest) -> func.HttpResponse:
    """Answer a search whose terms are in the body."""
    return await _answer("stac", req)


async def stac_transaction(req: func.HttpRequest) -> func.HttpResponse:
    """Take a collection or an item."""
    return await _answer("stac", req)


async def features(req: func.HttpRequest) -> func.HttpResponse:
    """Answer as OGC API Features and Tiles."""
    return await _answer("features", req)


async def raster(req: func.HttpRequest) -> func.HttpResponse:
    """Answer as the dynamic tile server."""
    return await _answer("raster", req)


async def raster_post(req: func.HttpRequest) -> func.HttpResponse:
    """Answer about a shape's pixels, or register a search."""
    return await _answer("raster", req)


async def _answer(name: str, req: func.HttpRequest) -> func.HttpResponse:
    with problems_as_json(req, f"{name}/{req.route_params.get('path', '')}".rstrip("/")) as outcome:
        outcome.response = await app().apis[name].handle_async(req)
        if req.method == "HEAD":
            outcome.response = _without_body(outcome.response)
    return outcome.answer()


def _without_body(response: func.HttpResponse) -> func.HttpResponse:
    return func.HttpResponse(
        b"", status_code=response.status_code, headers=response.headers, mimetype=response.mimetype
    )


if "stac" in _settings.apis:
    blueprint.route("stac/{*path}", methods=_READ_METHODS, auth_level=_READING)(stac)
    blueprint.route("stac/search", methods=["POST"], auth_level=_READING)(stac_search)
    if _settings.transactions:
        blueprint.route(
            "stac/collections/{*path}",
            methods=["POST", "PUT", "DELETE"],
            auth_level=func.AuthLevel.FUNCTION,
        )(stac_transaction)
if "features" in _settings.apis:
    blueprint.route("features/{*path}", methods=_READ_METHODS, auth_level=_READING)(features)
if "raster" in _settings.apis:
    blueprint.route("raster/{*path}", methods=_READ_METHODS, auth_level=_READING)(raster)
    # One of the POSTs writes to the catalogue. To tell it by its path would be to guess how host,
    # library and framework each decode one; so all of them need a key.
    blueprint.route("raster/{*path}", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)(raster_post)
