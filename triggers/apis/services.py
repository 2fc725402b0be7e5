"""What the reading APIs are built from."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from core.ports.catalogue import CatalogueWriter
from infrastructure.api_pools import ApiDatabase
from infrastructure.gdal_access import PublishedBlobs


@dataclass(frozen=True)
class ApiServices:
    """The adapters and settings of the reading APIs.

    Args:
        version: Of this release.
        database: How to get into the database.
        changes: Begins a transaction of the catalogue.
        blobs: What the raster API may read.
        features_url: Address of the features API; empty if nobody serves it, and None if it lies
            beside the STAC API.
        raster_url: Likewise.
        transactions: Whether the STAC API takes collections and items.
    """

    version: str
    database: ApiDatabase
    changes: Callable[[], AbstractContextManager[CatalogueWriter]]
    blobs: PublishedBlobs
    features_url: str | None
    raster_url: str | None
    transactions: bool
