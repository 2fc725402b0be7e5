"""How GDAL reads published blobs with the app's own identity."""

from dataclasses import dataclass

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError

from config.settings import StorageSettings
from core import codes
from core.errors import TransientError
from core.ports.blobs import BlobRef, BlobStore

_STORAGE_SCOPE = "https://storage.azure.com/.default"

# A blob may be replaced under its name, so nothing of it is kept longer than it is open; and what
# lies beside it is none of its business.
_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MAX_RETRY": "2",
    "GDAL_HTTP_TIMEOUT": "30",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "CPL_VSIL_CURL_NON_CACHED": "/vsiaz/",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif",
}


@dataclass(frozen=True)
class PublishedBlobs:
    """The blobs that may be shown to whoever asks: those of the published containers.

    Args:
        settings: The account and its containers.
        store: Knows the account's addresses.
        credential: Used unless the settings hold a connection string.
    """

    settings: StorageSettings
    store: BlobStore
    credential: TokenCredential

    def find(self, href: str) -> BlobRef | None:
        """Return the published blob that an address names, or None."""
        ref = self.store.ref(href)
        published = {self.settings.silver_cogs, self.settings.silver_mosaicjson}
        return ref if ref is not None and ref.container in published else None

    def gdal_options(self) -> dict[str, str]:
        """Return GDAL's configuration for reading them now; tokens come from the SDK's cache.

        Raises:
            TransientError: There is no token to be had.
        """
        if self.settings.connection_string is not None:
            secret = self.settings.connection_string.get_secret_value()
            return {**_OPTIONS, "AZURE_STORAGE_CONNECTION_STRING": secret}
        try:
            token = self.credential.get_token(_STORAGE_SCOPE).token
        except AzureError as error:
            reason = f"no token for blobs ({type(error).__name__})"
            raise TransientError(codes.STORAGE_UNAVAILABLE, reason) from error
        return {
            **_OPTIONS,
            "AZURE_STORAGE_ACCOUNT": self.settings.account_name,
            "AZURE_STORAGE_ACCESS_TOKEN": token,
        }
