"""`core.ports.blobs.BlobStore` in memory, for simulations and fast tests."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path
from threading import RLock

from core import codes
from core.blob_names import normalised_blob_name
from core.errors import InvalidInput, NotFound
from core.ports.blobs import BlobProperties, BlobRef, Deletion, PreconditionFailed, WriteOptions
from core.ports.clock import Clock
from infrastructure.blob_addresses import BlobAddresses
from infrastructure.blob_rules import (
    StagedBlocks,
    check_deletable,
    is_container_name,
    was_modified_before,
)

_ADDRESSES = BlobAddresses("https://memory.blob.core.windows.net")


@dataclass(frozen=True)
class _Blob:
    properties: BlobProperties
    blocks: Mapping[str, bytes]
    content: bytes


@dataclass
class _Container:
    blobs: dict[str, _Blob] = field(default_factory=dict)
    staged: dict[str, dict[str, bytes]] = field(default_factory=dict)


class InMemoryBlobStore:
    """Blobs that are gone with the process, under the rules of Azure Blob Storage.

    May be used by many threads at once.

    Args:
        clock: Dates the blobs, in whole seconds as the real store does.
        bronze: Containers of sources, where nothing is deleted by prefix.
    """

    def __init__(self, clock: Clock, bronze: frozenset[str] = frozenset()) -> None:
        self._clock = clock
        self._bronze = bronze
        self._containers: dict[str, _Container] = {}
        self._versions = count(1)
        self._lock = RLock()

    def container_exists(self, container: str) -> bool:
        """See `BlobStore.container_exists`."""
        return container in self._containers

    def ensure_container(self, container: str) -> None:
        """See `BlobStore.ensure_container`."""
        if not is_container_name(container):
            raise InvalidInput(codes.STORAGE_REFUSED, f"{container!r} is no name for a container")
        with self._lock:
            self._containers.setdefault(container, _Container())

    def properties(self, ref: BlobRef) -> BlobProperties:
        """See `BlobStore.properties`."""
        return self._blob(ref).properties

    def download(self, ref: BlobRef, target: Path, *, if_match: str | None = None) -> BlobProperties:
        """See `BlobStore.download`."""
        blob = self._blob(ref)
        if if_match is not None and if_match != blob.properties.etag:
            raise PreconditionFailed(f"{ref} no longer has the ETag {if_match}")
        target.write_bytes(blob.content)
        return blob.properties

    def read_range(self, ref: BlobRef, offset: int, nbytes: int) -> bytes:
        """See `BlobStore.read_range`."""
        return self._blob(ref).content[offset : offset + max(0, nbytes)]

    def upload(self, source: Path, ref: BlobRef, options: WriteOptions) -> BlobProperties:
        """See `BlobStore.upload`."""
        return self.commit(self.stage(source, ref, options), options)

    def stage(self, source: Path, ref: BlobRef, options: WriteOptions) -> StagedBlocks:
        """Do the first half of `upload`: take the bytes without showing them."""
        return self._stage(source.read_bytes(), ref, options)

    def commit(self, staged: StagedBlocks, options: WriteOptions) -> BlobProperties:
        """Do the second half of `upload`: make staged blocks the blob, and discard all others.

        Raises:
            PreconditionFailed: See `BlobStore.upload`.
        """
        with self._lock:
            name = normalised_blob_name(staged.ref.name)
            container = self._container(staged.ref.container)
            present = container.blobs.get(name)
            _check(staged.ref, present, options)
            known = {**(present.blocks if present else {}), **container.staged.get(name, {})}
            if not known.keys() >= set(staged.block_ids):
                raise PreconditionFailed(f"staged blocks of {staged.ref} were discarded")
            blocks = {block_id: known[block_id] for block_id in staged.block_ids}
            blob = _Blob(self._describe(staged, options), blocks, b"".join(blocks.values()))
            container.blobs[name] = blob
            container.staged.pop(name, None)
            return replace(blob.properties, access_tier=options.access_tier)

    def copy(self, source: BlobRef, target: BlobRef, options: WriteOptions) -> BlobProperties:
        """See `BlobStore.copy`."""
        return self.commit(self._stage(self._blob(source).content, target, options), options)

    def commit_empty(self, ref: BlobRef, metadata: Mapping[str, str]) -> str:
        """See `BlobStore.commit_empty`."""
        return self.commit(StagedBlocks(ref, (), 0), WriteOptions(metadata=metadata, if_absent=True)).etag

    def list_blobs(self, container: str, prefix: str = "") -> Iterator[BlobProperties]:
        """See `BlobStore.list_blobs`."""
        with self._lock:
            blobs = self._container(container).blobs
            found = [blobs[name].properties for name in sorted(blobs) if name.startswith(prefix)]
        yield from found

    def list_folders(self, container: str, prefix: str = "") -> Iterator[str]:
        """See `BlobStore.list_folders`."""
        rests = (blob.ref.name.removeprefix(prefix) for blob in self.list_blobs(container, prefix))
        yield from sorted({f"{prefix}{rest.partition('/')[0]}/" for rest in rests if "/" in rest})

    def delete(self, ref: BlobRef, *, if_match: str | None = None) -> bool:
        """See `BlobStore.delete`."""
        with self._lock:
            try:
                blob = self._blob(ref)
            except NotFound:
                return False
            _check(ref, blob, WriteOptions(if_match=if_match))
            del self._containers[ref.container].blobs[ref.name]
            return True

    def delete_blobs_by_prefix(
        self, container: str, prefix: str, *, modified_before: datetime | None = None, limit: int = 10_000
    ) -> Deletion:
        """See `BlobStore.delete_blobs_by_prefix`."""
        check_deletable(container, prefix, self._bronze)
        with self._lock:
            listed = self.list_blobs(container, prefix)
            matching = (blob for blob in listed if was_modified_before(blob, modified_before))
            doomed = list(islice(matching, limit))
            for blob in doomed:
                self.delete(blob.ref)
            more = next(matching, None) is not None
        return Deletion(len(doomed), sum(blob.nbytes for blob in doomed), more=more)

    def url(self, ref: BlobRef) -> str:
        """See `BlobStore.url`."""
        return _ADDRESSES.url(ref)

    def ref(self, href: str) -> BlobRef | None:
        """See `BlobStore.ref`."""
        return _ADDRESSES.ref(href)

    def signed_url(self, ref: BlobRef, lifetime: timedelta) -> str:
        """See `BlobStore.signed_url`; nothing answers at this one."""
        expiry = self._clock.now() + lifetime
        return f"{self.url(ref)}?se={expiry:%Y-%m-%dT%H:%M:%SZ}&sp=r&sr=b&sig=memory"

    def _stage(self, content: bytes, ref: BlobRef, options: WriteOptions) -> StagedBlocks:
        # One block is enough to keep writers apart; two without a prefix are told apart by chance.
        block_id = options.block_prefix or uuid.uuid4().hex
        with self._lock:
            staged = self._container(ref.container).staged.setdefault(normalised_blob_name(ref.name), {})
            if content:
                staged[block_id] = content
        return StagedBlocks(ref, (block_id,) if content else (), len(content))

    def _describe(self, staged: StagedBlocks, options: WriteOptions) -> BlobProperties:
        return BlobProperties(
            ref=staged.ref,
            nbytes=staged.nbytes,
            etag=f'"0x{next(self._versions):016X}"',
            last_modified=self._clock.now().replace(microsecond=0),
            content_type=options.content_type,
            metadata=dict(options.metadata),
            access_tier=options.access_tier or "Hot",
        )

    def _blob(self, ref: BlobRef) -> _Blob:
        name = normalised_blob_name(ref.name)
        with self._lock:
            blob = self._container(ref.container).blobs.get(name)
        if blob is None:
            raise NotFound(codes.BLOB_MISSING, f"Blob {str(ref)!r} does not exist in memory")
        return blob

    def _container(self, name: str) -> _Container:
        if name not in self._containers:
            raise NotFound(codes.CONTAINER_MISSING, f"Container {name!r} does not exist in memory")
        return self._containers[name]


def _check(ref: BlobRef, present: _Blob | None, options: WriteOptions) -> None:
    if options.if_absent and present is not None:
        raise PreconditionFailed(f"{ref} exists")
    if options.if_match is not None and (present is None or present.properties.etag != options.if_match):
        raise PreconditionFailed(f"{ref} no longer has the ETag {options.if_match}")
