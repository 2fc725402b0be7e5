"""The port to the blob store."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol, get_args

AccessTier = Literal["Hot", "Cool", "Cold"]


@dataclass(frozen=True, order=True)
class BlobRef:
    """Where a blob is: a container and a path in it, neither encoded nor signed."""

    container: str
    name: str

    def __str__(self) -> str:
        return f"{self.container}/{self.name}"


@dataclass(frozen=True)
class BlobProperties:
    """What the store knows of a blob without reading it."""

    ref: BlobRef
    nbytes: int
    etag: str
    last_modified: datetime
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    access_tier: str | None = None


@dataclass(frozen=True)
class WriteOptions:
    """How a blob is written.

    Args:
        content_type: Media type kept with the blob.
        metadata: Names and values kept with the blob.
        if_match: ETag that the target must have.
        if_absent: The target must not exist.
        access_tier: Storage tier, or the account's default.
        block_prefix: Start of the ids of the staged blocks, so that the blocks of two
            writers of one blob never mix.
    """

    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    if_match: str | None = None
    if_absent: bool = False
    access_tier: AccessTier | None = None
    block_prefix: str = ""

    @classmethod
    def like(cls, found: BlobProperties) -> "WriteOptions":
        """Return how a copy is written that is to be what was found: media type, metadata and tier."""
        tier = next((tier for tier in get_args(AccessTier) if tier == found.access_tier), None)
        return cls(content_type=found.content_type, metadata=found.metadata, access_tier=tier)


@dataclass(frozen=True)
class Deletion:
    """What a deletion by prefix removed."""

    count: int
    nbytes: int
    more: bool = False


class PreconditionFailed(Exception):
    """A conditional write or deletion met another ETag, or a blob where none was expected."""


class BlobStore(Protocol):
    """Blobs by container and name. Names are used as given; addresses are percent-encoded.

    Every method raises `core.errors.TransientError` with the account's host and the operation in
    its message when the store does not answer or refuses access (``storage.unavailable``,
    ``storage.forbidden``), and `core.errors.NotFound` for a missing blob or container
    (``blob.missing``, ``container.missing``) unless said otherwise.
    """

    def container_exists(self, container: str) -> bool:
        """Return whether the container exists."""
        ...

    def ensure_container(self, container: str) -> None:
        """Create the container unless it exists."""
        ...

    def properties(self, ref: BlobRef) -> BlobProperties:
        """Return what is known of a blob by one HEAD."""
        ...

    def download(self, ref: BlobRef, target: Path, *, if_match: str | None = None) -> BlobProperties:
        """Write a blob to the file `target` in bounded memory.

        Raises:
            PreconditionFailed: The blob no longer has the ETag `if_match`; also when it changes
                between two ranges of one download.
        """
        ...

    def read_range(self, ref: BlobRef, offset: int, nbytes: int) -> bytes:
        """Return at most `nbytes` bytes from `offset`; fewer at the end, none beyond it."""
        ...

    def upload(self, source: Path, ref: BlobRef, options: WriteOptions) -> BlobProperties:
        """Stage a file as blocks, then commit them at once, in bounded memory.

        Nothing is visible before the commit, and a failed commit leaves the old blob.

        Raises:
            PreconditionFailed: `if_match` or `if_absent` does not hold at the commit, or the
                staged blocks were discarded by somebody else's commit.
        """
        ...

    def copy(self, source: BlobRef, target: BlobRef, options: WriteOptions) -> BlobProperties:
        """Copy a blob inside the store, without its bytes passing through this process."""
        ...

    def commit_empty(self, ref: BlobRef, metadata: Mapping[str, str]) -> str:
        """Create an empty blob where none is, which discards staged blocks; return its ETag.

        The metadata must tell who did it, for whoever finds it when its maker died.

        Raises:
            PreconditionFailed: A blob exists.
        """
        ...

    def list_blobs(self, container: str, prefix: str = "") -> Iterator[BlobProperties]:
        """Yield the blobs whose names start with `prefix` in order of name, page by page."""
        ...

    def list_folders(self, container: str, prefix: str = "") -> Iterator[str]:
        """Yield the folders right below `prefix` in order, each with its slash, without their blobs.

        Args:
            container: The container.
            prefix: Empty, or a folder with its slash.
        """
        ...

    def delete(self, ref: BlobRef, *, if_match: str | None = None) -> bool:
        """Delete a blob; return False if there was none.

        Raises:
            PreconditionFailed: The blob has another ETag.
        """
        ...

    def delete_blobs_by_prefix(
        self, container: str, prefix: str, *, modified_before: datetime | None = None, limit: int = 10_000
    ) -> Deletion:
        """Delete at most `limit` blobs under `prefix`, in batches.

        Raises:
            InvalidInput: The prefix is empty or has fewer than two path segments, or the container
                is a source one, by the settings or by its name: ``storage.prefix_refused``.
        """
        ...

    def url(self, ref: BlobRef) -> str:
        """Return the canonical address, percent-encoded and never signed."""
        ...

    def ref(self, href: str) -> BlobRef | None:
        """Return the blob that a canonical address, ``/vsiaz/`` path or ``az://`` URL names.

        Returns:
            None if the address is not of this account.
        """
        ...

    def signed_url(self, ref: BlobRef, lifetime: timedelta) -> str:
        """Return an address that lets anyone read this one blob until `lifetime` has passed."""
        ...
