"""Bytes between files and blobs, in parallel ranges of bounded size."""

import os
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import IncompleteReadError
from azure.storage.blob import BlobClient

from core.ports.blobs import BlobProperties, BlobRef
from infrastructure.blob_rules import StagedBlocks

#: Bytes of one request of a transfer; memory is this times `IN_FLIGHT`.
BLOCK_SIZE = 8 * 2**20
#: Requests of one transfer at a time.
IN_FLIGHT = 4
#: Bytes of one request of a copy, which pass through no process of ours.
COPY_BLOCK_SIZE = 64 * 2**20

Result = TypeVar("Result")

_MOST_BLOCKS = 50_000
_PREFIX_LENGTH = 48


@dataclass(frozen=True)
class _Range:
    number: int
    offset: int
    nbytes: int


def stage_file(client: BlobClient, source: Path, target: BlobRef, block_prefix: str) -> StagedBlocks:
    """Stage a file as blocks."""
    nbytes = source.stat().st_size
    ranges = _ranges(nbytes, BLOCK_SIZE)
    prefix = _fixed_length(block_prefix)
    with source.open("rb") as file:

        def stage(part: _Range) -> str:
            block_id = f"{prefix}{part.number:06d}"
            client.stage_block(
                block_id, os.pread(file.fileno(), part.nbytes, part.offset), length=part.nbytes
            )
            return block_id

        return StagedBlocks(target, _in_parallel(stage, ranges), nbytes)


def stage_copy(
    client: BlobClient, source: BlobProperties, signed_source: str, target: BlobRef, block_prefix: str
) -> StagedBlocks:
    """Stage the bytes of another blob as blocks, which the store reads by itself."""
    prefix = _fixed_length(block_prefix)

    def stage(part: _Range) -> str:
        block_id = f"{prefix}{part.number:06d}"
        client.stage_block_from_url(
            block_id,
            signed_source,
            source_offset=part.offset,
            source_length=part.nbytes,
            # The SDK has no argument for this condition of the service.
            headers={"x-ms-source-if-match": source.etag},
        )
        return block_id

    return StagedBlocks(target, _in_parallel(stage, _ranges(source.nbytes, COPY_BLOCK_SIZE)), source.nbytes)


def fetch(client: BlobClient, properties: BlobProperties, target: Path) -> None:
    """Write the blob that has these properties, and no later version of it, to a file.

    The file appears when it is complete.
    """
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:

            def receive(part: _Range) -> None:
                content = read(client, part.offset, part.nbytes, properties.etag)
                if len(content) != part.nbytes:
                    # A server or proxy that ends early must not leave a hole of zeros in the file.
                    raise IncompleteReadError(f"{len(content)} of {part.nbytes} bytes came")
                _write_whole(file.fileno(), content, part.offset)

            _in_parallel(receive, _ranges(properties.nbytes, BLOCK_SIZE))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _write_whole(descriptor: int, content: bytes, offset: int) -> None:
    """Write all of it; a disk that is nearly full takes a part, without an error, and refuses the rest."""
    rest = memoryview(content)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def read(client: BlobClient, offset: int, nbytes: int, etag: str | None = None) -> bytes:
    """Return bytes as they are stored, also if the blob claims a content encoding."""
    conditions: dict[str, Any] = (
        {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
    )
    content: bytes = client.download_blob(
        offset, nbytes, max_concurrency=1, decompress=False, **conditions
    ).readall()
    return content


def _ranges(nbytes: int, size: int) -> list[_Range]:
    size = max(size, -(-nbytes // _MOST_BLOCKS))
    return [
        _Range(number, offset, min(size, nbytes - offset))
        for number, offset in enumerate(range(0, nbytes, size))
    ]


def _in_parallel(work: Callable[[_Range], Result], parts: Iterable[_Range]) -> tuple[Result, ...]:
    """Return the results in order; the first failure cancels what has not started."""
    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="blob-transfer") as executor:
        return tuple(executor.map(work, parts))


def _fixed_length(block_prefix: str) -> str:
    """Return a start of block ids, always of one length, as Azure wants for all blocks of a blob.

    Without a prefix the blocks of each upload are told apart by chance.
    """
    prefix = block_prefix or uuid.uuid4().hex
    if len(prefix) > _PREFIX_LENGTH or not prefix.isascii():
        prefix = sha256(prefix.encode()).hexdigest()[:_PREFIX_LENGTH]
    return prefix.ljust(_PREFIX_LENGTH, "-")
