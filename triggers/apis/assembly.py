"""The part of the composition root that only the reading APIs need.

`triggers.bootstrap` imports it by name when the first of them is asked for, so that nothing else
pays for their libraries.
"""

import importlib
import os

from infrastructure.api_pools import ApiDatabase
from infrastructure.credentials import azure_credential, database_password
from infrastructure.gdal_access import PublishedBlobs
from triggers.apis.services import ApiServices
from triggers.apis.serving import AsgiApp
from triggers.bootstrap import App

# Read by the libraries when they are imported. What was unpublished or replaced must not be shown
# for as long as they would keep it; and their mosaics read with a few threads each.
_LIBRARY_SETTINGS = {
    "TITILER_PGSTAC_CACHE_TTL": "10",
    "MOSAIC_CONCURRENCY": "4",
    "RIO_TILER_MAX_THREADS": "4",
}


def make_api(name: str, app: App) -> AsgiApp:
    """Import and build a reading API.

    Args:
        name: ``stac``, ``features`` or ``raster``.
        app: This process's app.
    """
    # GDAL's cache is the process's, and read when it is first used.
    cache = {"GDAL_CACHEMAX": str(app.settings.raster.gdal_cache_mib)}
    for variable, value in (_LIBRARY_SETTINGS | cache).items():
        os.environ.setdefault(variable, value)
    module = importlib.import_module(f"triggers.apis.{name}")
    made: AsgiApp = module.create(_services(name, app))
    return made


def _services(name: str, app: App) -> ApiServices:
    settings = app.settings
    return ApiServices(
        version=app.version,
        database=ApiDatabase(
            settings.database,
            database_password(settings.database),
            settings.catalogue.api_pool_size,
            f"terrane {name} {app.worker}",
        ),
        changes=app.catalogue_changes,
        blobs=PublishedBlobs(settings.storage, app.blobs, azure_credential()),
        features_url=_address("features", settings.catalogue.features_url, settings.catalogue.apis),
        raster_url=_address("raster", settings.catalogue.raster_url, settings.catalogue.apis),
        transactions=settings.catalogue.transactions,
    )


def _address(name: str, elsewhere: str, served_here: tuple[str, ...]) -> str | None:
    if elsewhere:
        return elsewhere.rstrip("/")
    return None if name in served_here else ""
