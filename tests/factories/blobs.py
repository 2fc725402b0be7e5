"""The blob store's adapters in one shape, so that one suite runs against each."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.ports.blobs import BlobProperties, BlobRef, BlobStore, WriteOptions
from infrastructure.blob_rules import StagedBlocks


class StagingBlobStore(BlobStore, Protocol):
    """A store whose uploads can be stopped half-way, as a crash would."""

    def stage(self, source: Path, ref: BlobRef, options: WriteOptions) -> StagedBlocks: ...

    def commit(self, staged: StagedBlocks, options: WriteOptions) -> BlobProperties: ...


@dataclass
class Shelf:
    """A store with an empty container in it, and a directory for files."""

    store: StagingBlobStore
    container: str
    directory: Path
    bronze: str

    def ref(self, name: str = "a.bin") -> BlobRef:
        return BlobRef(self.container, name)

    def file(self, content: bytes = b"content") -> Path:
        path = self.directory / uuid.uuid4().hex
        path.write_bytes(content)
        return path

    def put(self, name: str = "a.bin", content: bytes = b"content", **options: object) -> BlobProperties:
        return self.store.upload(self.file(content), self.ref(name), WriteOptions(**options))  # type: ignore[arg-type]  # options are the test's

    def content(self, ref: BlobRef) -> bytes:
        target = self.directory / uuid.uuid4().hex
        self.store.download(ref, target)
        return target.read_bytes()

    def names(self, prefix: str = "") -> list[str]:
        return [blob.ref.name for blob in self.store.list_blobs(self.container, prefix)]
