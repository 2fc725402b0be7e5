"""The samples on their way into the bronze containers, and what came out of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, ContentSettings, generate_blob_sas

from config.defaults import StorageDefaults
from local.azurite import ACCOUNT, KEY
from local.binaries import CHECKOUT

SAMPLES = CHECKOUT / "samples"
_CONTAINERS = {
    ".tif": StorageDefaults.BRONZE_RASTERS,
    ".gpkg": StorageDefaults.BRONZE_VECTORS,
    ".geojson": StorageDefaults.BRONZE_VECTORS,
    ".zip": StorageDefaults.BRONZE_VECTORS,
}
_LINKS_LAST = timedelta(days=7)


@dataclass(frozen=True)
class Sample:
    """One uploaded sample."""

    container: str
    blob: str
    nbytes: int

    @property
    def is_raster(self) -> bool:
        """Say whether it becomes a COG, and not a table."""
        return self.container == StorageDefaults.BRONZE_RASTERS

    @property
    def job_type(self) -> str:
        """Return the job type that publishes it."""
        return "process_raster_v2" if self.is_raster else "process_vector"

    @property
    def parameters(self) -> dict[str, str]:
        """Return what that job type has to be told."""
        source = {"container_name": self.container, "blob_name": self.blob}
        if self.is_raster:
            return source
        name, _, extension = self.blob.rpartition(".")
        return source | {"file_extension": extension, "table_name": name}


def upload_samples(connection_string: str, directory: Path = SAMPLES) -> list[Sample]:
    """Upload every sample; one that is there with the same content is left alone.

    A new upload would be a changed source, and the job that published it would run again.
    """
    with BlobServiceClient.from_connection_string(connection_string) as service:
        files = sorted(path for path in directory.glob("*") if path.suffix in _CONTAINERS)
        return [_upload(service, path) for path in files]


def signed_links(assets: Mapping[str, str], connection_string: str) -> dict[str, str]:
    """Return read-only addresses that a browser can open for the assets in this blob service."""
    with BlobServiceClient.from_connection_string(connection_string) as service:
        own = f"{service.url.rstrip('/')}/"
    return {
        name: f"{href}?{_signature(unquote(href.removeprefix(own)))}"
        for name, href in assets.items()
        if href.startswith(own)
    }


def _upload(service: BlobServiceClient, path: Path) -> Sample:
    content = path.read_bytes()
    digest = bytearray(hashlib.md5(content, usedforsecurity=False).digest())
    container = _CONTAINERS[path.suffix]
    client = service.get_blob_client(container, path.name)
    try:
        found = client.get_blob_properties().content_settings.content_md5
    except ResourceNotFoundError:
        found = None
    if found != digest:
        client.upload_blob(content, overwrite=True, content_settings=ContentSettings(content_md5=digest))
    return Sample(container, path.name, len(content))


def _signature(path: str) -> str:
    container, _, blob = path.partition("/")
    now = datetime.now(UTC)
    return generate_blob_sas(
        ACCOUNT,
        container,
        blob,
        account_key=KEY,
        permission=BlobSasPermissions(read=True),
        start=now - timedelta(minutes=5),
        expiry=now + _LINKS_LAST,
    )
