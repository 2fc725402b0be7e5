"""`core.ports.blobs.BlobStore` on Azure Blob Storage, or on Azurite."""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobPrefix,
    BlobServiceClient,
    ContentSettings,
    LinearRetry,
    StandardBlobTier,
)
from azure.storage.blob import BlobProperties as SdkProperties

from config.settings import StorageSettings
from core import codes
from core.blob_names import normalised_blob_name
from core.errors import InvalidInput, NotFound
from core.ports.blobs import BlobProperties, BlobRef, Deletion, PreconditionFailed, WriteOptions
from infrastructure.blob_addresses import BlobAddresses
from infrastructure.blob_errors import Operation, translated
from infrastructure.blob_rules import StagedBlocks, check_deletable, is_container_name, was_modified_before
from infrastructure.blob_signing import AccountKeySigner, DelegationSigner, Signer
from infrastructure.blob_transfer import BLOCK_SIZE, fetch, read, stage_copy, stage_file

logger = logging.getLogger(__name__)

# How long the store may take to read the source of a copy.
_COPY_SIGNATURE = timedelta(hours=1)
_DELETIONS_IN_FLIGHT = 8


class AzureBlobStore:
    """Blobs of one storage account. May be used by many threads at once.

    Args:
        settings: The account, and how long to wait for it.
        credential: Used unless the settings hold a connection string.
        endpoint: Address of the blob service, if it is not the account's public one.
    """

    def __init__(
        self, settings: StorageSettings, credential: TokenCredential | None, endpoint: str | None = None
    ) -> None:
        self._bronze = frozenset({settings.bronze_rasters, settings.bronze_vectors})
        self._service = _client(settings, credential, endpoint)
        self._addresses = BlobAddresses(self._service.url.partition("?")[0].rstrip("/"))
        self._signer = _signer(self._service, settings)

    def container_exists(self, container: str) -> bool:
        """See `BlobStore.container_exists`."""
        if not is_container_name(container):
            return False
        with self._translated("look for container", container):
            return self._service.get_container_client(container).exists()

    def ensure_container(self, container: str) -> None:
        """See `BlobStore.ensure_container`."""
        if not is_container_name(container):
            raise InvalidInput(codes.STORAGE_REFUSED, f"{container!r} is no name for a container")
        with self._translated("create container", container), suppress(ResourceExistsError):
            self._service.create_container(container)

    def properties(self, ref: BlobRef) -> BlobProperties:
        """See `BlobStore.properties`."""
        return self._properties(ref, None)

    def download(self, ref: BlobRef, target: Path, *, if_match: str | None = None) -> BlobProperties:
        """See `BlobStore.download`."""
        properties = self._properties(ref, if_match)
        with self._translated("download", str(ref)):
            fetch(self._blob(ref), properties, target)
        return properties

    def read_range(self, ref: BlobRef, offset: int, nbytes: int) -> bytes:
        """See `BlobStore.read_range`."""
        available = max(0, min(nbytes, self.properties(ref).nbytes - offset))
        with self._translated("read", str(ref)):
            return read(self._blob(ref), offset, available) if available else b""

    def upload(self, source: Path, ref: BlobRef, options: WriteOptions) -> BlobProperties:
        """See `BlobStore.upload`."""
        return self.commit(self.stage(source, ref, options), options)

    def stage(self, source: Path, ref: BlobRef, options: WriteOptions) -> StagedBlocks:
        """Do the first half of `upload`: hand the bytes over without showing them."""
        with self._translated("stage", str(ref)):
            return stage_file(self._blob(ref), source, ref, options.block_prefix)

    def commit(self, staged: StagedBlocks, options: WriteOptions) -> BlobProperties:
        """Do the second half of `upload`: make staged blocks the blob, and discard all others.

        Raises:
            PreconditionFailed: See `BlobStore.upload`.
        """
        with self._translated("commit", str(staged.ref)):
            answer: Mapping[str, Any] = self._blob(staged.ref).commit_block_list(
                [BlobBlock(block_id) for block_id in staged.block_ids],
                content_settings=ContentSettings(content_type=options.content_type),
                metadata=dict(options.metadata),
                standard_blob_tier=StandardBlobTier(options.access_tier) if options.access_tier else None,
                **_conditions(options.if_match, if_absent=options.if_absent),
            )
        return BlobProperties(
            ref=staged.ref,
            nbytes=staged.nbytes,
            etag=_quoted(answer["etag"]),
            last_modified=answer["last_modified"],
            content_type=options.content_type,
            metadata=dict(options.metadata),
            access_tier=options.access_tier,
        )

    def copy(self, source: BlobRef, target: BlobRef, options: WriteOptions) -> BlobProperties:
        """See `BlobStore.copy`."""
        properties = self.properties(source)
        signed = self.signed_url(source, _COPY_SIGNATURE)
        with self._translated(f"copy {source} to", str(target)):
            staged = stage_copy(self._blob(target), properties, signed, target, options.block_prefix)
        return self.commit(staged, options)

    def commit_empty(self, ref: BlobRef, metadata: Mapping[str, str]) -> str:
        """See `BlobStore.commit_empty`."""
        return self.commit(StagedBlocks(ref, (), 0), WriteOptions(metadata=metadata, if_absent=True)).etag

    def list_blobs(self, container: str, prefix: str = "") -> Iterator[BlobProperties]:
        """See `BlobStore.list_blobs`."""
        with self._translated("list", f"{container}/{prefix}"):
            found = self._service.get_container_client(self._existing(container)).list_blobs(
                name_starts_with=prefix, include=["metadata"]
            )
            for blob in found:
                yield _described(BlobRef(container, blob.name), blob)

    def list_folders(self, container: str, prefix: str = "") -> Iterator[str]:
        """See `BlobStore.list_folders`."""
        with self._translated("list", f"{container}/{prefix}"):
            client = self._service.get_container_client(self._existing(container))
            for entry in client.walk_blobs(name_starts_with=prefix or None, delimiter="/"):
                if isinstance(entry, BlobPrefix):
                    yield entry.name

    def delete(self, ref: BlobRef, *, if_match: str | None = None) -> bool:
        """See `BlobStore.delete`."""
        try:
            with self._translated("delete", str(ref)):
                self._blob(ref).delete_blob(delete_snapshots="include", **_conditions(if_match))
        except NotFound:
            return False
        except PreconditionFailed:
            # A condition on the ETag of a blob that is not there may be answered like this, too.
            if self._exists(ref):
                raise
            return False
        return True

    def delete_blobs_by_prefix(
        self, container: str, prefix: str, *, modified_before: datetime | None = None, limit: int = 10_000
    ) -> Deletion:
        """See `BlobStore.delete_blobs_by_prefix`."""
        check_deletable(container, prefix, self._bronze)
        matching = (
            blob for blob in self.list_blobs(container, prefix) if was_modified_before(blob, modified_before)
        )
        with ThreadPoolExecutor(_DELETIONS_IN_FLIGHT, thread_name_prefix="blob-deletion") as executor:
            sizes = list(executor.map(self._delete_unchanged, islice(matching, limit)))
        deleted = [nbytes for nbytes in sizes if nbytes is not None]
        deletion = Deletion(len(deleted), sum(deleted), more=next(matching, None) is not None)
        logger.info(
            "blobs deleted by prefix",
            extra={"container": container, "prefix": prefix, "count": deletion.count},
        )
        return deletion

    def url(self, ref: BlobRef) -> str:
        """See `BlobStore.url`."""
        return self._addresses.url(ref)

    def ref(self, href: str) -> BlobRef | None:
        """See `BlobStore.ref`."""
        return self._addresses.ref(href)

    def signed_url(self, ref: BlobRef, lifetime: timedelta) -> str:
        """See `BlobStore.signed_url`."""
        with self._translated("sign", str(ref)):
            return f"{self.url(ref)}?{self._signer.sign(ref, lifetime)}"

    def close(self) -> None:
        """Close every connection."""
        self._service.close()

    def _delete_unchanged(self, blob: BlobProperties) -> int | None:
        """Delete a listed blob and return its size, or None if it was written again meanwhile."""
        try:
            return blob.nbytes if self.delete(blob.ref, if_match=blob.etag) else None
        except PreconditionFailed:
            return None

    def _exists(self, ref: BlobRef) -> bool:
        with self._translated("look for", str(ref)):
            return self._blob(ref).exists()

    def _properties(self, ref: BlobRef, if_match: str | None) -> BlobProperties:
        with self._translated("look at", str(ref)):
            return _described(ref, self._blob(ref).get_blob_properties(**_conditions(if_match)))

    def _blob(self, ref: BlobRef) -> BlobClient:
        container = self._existing(ref.container)
        return self._service.get_blob_client(container, normalised_blob_name(ref.name))

    def _existing(self, container: str) -> str:
        if not is_container_name(container):
            raise NotFound(codes.CONTAINER_MISSING, f"No container can have the name {container!r}")
        return container

    def _translated(self, name: str, subject: str) -> AbstractContextManager[None]:
        return translated(Operation(self._addresses.host, name, subject))


def _client(
    settings: StorageSettings, credential: TokenCredential | None, endpoint: str | None
) -> BlobServiceClient:
    options: dict[str, Any] = {
        # Four tries within a few seconds; a longer outage is the engine's to wait for.
        "retry_policy": LinearRetry(backoff=1, random_jitter_range=1, retry_total=3),
        "connection_timeout": min(10, settings.timeout_seconds),
        "read_timeout": settings.timeout_seconds,
        "max_single_get_size": BLOCK_SIZE,
    }
    if settings.connection_string is not None:
        secret = settings.connection_string.get_secret_value()
        return BlobServiceClient.from_connection_string(secret, **options)
    address = endpoint or f"https://{settings.account_name}.blob.core.windows.net"
    return BlobServiceClient(address, credential, **options)


def _signer(service: BlobServiceClient, settings: StorageSettings) -> Signer:
    account = str(service.account_name)
    if settings.connection_string is None:
        return DelegationSigner(service, account)
    return AccountKeySigner(account, service.credential.account_key)


def _described(ref: BlobRef, properties: SdkProperties) -> BlobProperties:
    return BlobProperties(
        ref=ref,
        nbytes=properties.size,
        etag=_quoted(properties.etag),
        last_modified=properties.last_modified,
        content_type=properties.content_settings.content_type or "",
        metadata=dict(properties.metadata or {}),
        access_tier=properties.blob_tier,
    )


def _quoted(etag: str) -> str:
    """Return an ETag as headers carry it; listings leave its quotes out."""
    return etag if etag.startswith(('"', "W/")) else f'"{etag}"'


def _conditions(if_match: str | None, *, if_absent: bool = False) -> dict[str, Any]:
    if if_match is not None:
        return {"etag": if_match, "match_condition": MatchConditions.IfNotModified}
    # The SDK refuses an ETag beside this condition and sends If-None-Match: * by itself.
    return {"match_condition": MatchConditions.IfMissing} if if_absent else {}
