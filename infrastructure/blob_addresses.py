"""Addresses of blobs: canonical URLs out, and every form that names a blob of this account in."""

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from core.blob_names import normalised_blob_name
from core.errors import InvalidInput
from core.ports.blobs import BlobRef
from infrastructure.blob_rules import is_container_name

# What GDAL (/vsiaz/) and fsspec (az://) put before a container; both take the rest literally.
_LITERAL_PREFIXES = ("/vsiaz/", "/vsiaz_streaming/", "az://")


@dataclass(frozen=True)
class BlobAddresses:
    """Translates between blobs and the addresses of one account.

    Args:
        endpoint: Address of the account's blob service, without a slash at its end, e.g.
            ``https://name.blob.core.windows.net`` or ``http://127.0.0.1:10000/devstoreaccount1``.
    """

    endpoint: str

    @property
    def host(self) -> str:
        """Return host and port, for messages."""
        return urlsplit(self.endpoint).netloc

    def url(self, ref: BlobRef) -> str:
        """Return the canonical address; only slashes and unreserved characters stay as they are."""
        return f"{self.endpoint}/{quote(ref.container, safe='$')}/{quote(ref.name, safe='/')}"

    def ref(self, href: str) -> BlobRef | None:
        """Return the blob that an address names, or None if it is not of this account.

        A query (a signature) and a fragment are no part of a blob's name and are left out.
        """
        for prefix in _LITERAL_PREFIXES:
            if href.startswith(prefix):
                return _checked(*_split(href[len(prefix) :]))
        path = self._path_in_account(href)
        if path is None:
            return None
        container, name = _split(path)
        return _checked(unquote(container), unquote(name, errors="strict"))

    def _path_in_account(self, href: str) -> str | None:
        try:
            given, own = urlsplit(href), urlsplit(self.endpoint)
            unquote(given.path, errors="strict")
        except ValueError:
            return None
        if (given.scheme.lower(), given.netloc.lower()) != (own.scheme.lower(), own.netloc.lower()):
            return None
        prefix = f"{own.path}/"
        return given.path[len(prefix) :] if given.path.startswith(prefix) else None


def _split(path: str) -> tuple[str, str]:
    container, _, name = path.partition("/")
    return container, name


def _checked(container: str, name: str) -> BlobRef | None:
    if not is_container_name(container):
        return None
    try:
        return BlobRef(container, normalised_blob_name(name))
    except InvalidInput:
        return None
