"""The port to what tasks publish: artifacts, and the transactions in which they become visible."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from core.json import JsonObject
from core.models.claims import (
    ClaimedTask,
    Ended,
)
from core.ports.catalogue import CatalogueWriter
from core.ports.unpublishing import UnpublishingTransaction
from core.ports.vectors import VectorTransaction


@dataclass(frozen=True)
class Artifact:
    """Something that a job writes outside its own rows."""

    kind: str
    location: str
    role: str
    target: str | None = None


@dataclass(frozen=True)
class ArtifactRecord:
    """An artifact as it is recorded."""

    kind: str
    location: str
    job_id: str
    revision: int
    role: str
    state: str
    target: str | None = None
    nbytes: int | None = None
    checksum: str | None = None
    etag: str | None = None


@dataclass(frozen=True)
class WriteIntent:
    """What stands at a location when a claim is about to write there.

    Args:
        owner: Another job that claims it; then nothing may be written.
        etag: What this job's revision wrote there before.
        live_etag: What is published there now.
    """

    owner: str | None = None
    etag: str | None = None
    live_etag: str | None = None


class EffectTransaction(Protocol):
    """Changes that apply together, or not at all, while a claim's fence holds."""

    @property
    def catalogue(self) -> CatalogueWriter:
        """Return the catalogue, within this transaction."""
        ...

    @property
    def tables(self) -> VectorTransaction:
        """Return the vector tables, within this transaction."""
        ...

    @property
    def unpublishing(self) -> UnpublishingTransaction:
        """Return the audit of what is taken back, within this transaction."""
        ...

    def publish(self) -> None:
        """Make everything that the job's revision wrote for publication live, and its own."""
        ...

    def complete(self, result: JsonObject) -> None:
        """Let the transaction's last statement end the task as completed."""
        ...

    @property
    def ended(self) -> Ended | None:
        """Return what the end of the task brought about, once the transaction has committed."""
        ...


class Effects(Protocol):
    """Effects under the fence: rows in one transaction, artifacts with intent before effect."""

    def transaction(self, task: ClaimedTask) -> AbstractContextManager[EffectTransaction]:
        """Open a transaction whose last statement holds the fence, or ends the task.

        Raises:
            FenceLost: The claim is no longer held; everything was rolled back.
            JobStopping: It would have published for a job that is stopping; everything was rolled back.
        """
        ...

    def begin_artifact(self, task: ClaimedTask, artifact: Artifact) -> WriteIntent:
        """Declare that the task is about to write a location.

        Raises:
            FenceLost: The claim is no longer held.
        """
        ...

    def record_artifact(
        self, task: ClaimedTask, artifact: Artifact, etag: str, nbytes: int, checksum: str | None
    ) -> None:
        """Record what was written there.

        Raises:
            FenceLost: The claim is no longer held.
        """
        ...

    def artifacts(self, job_id: str, revision: int) -> Sequence[ArtifactRecord]:
        """Return what a revision has reserved, written or published."""
        ...

    def live_artifact(self, kind: str, location: str) -> ArtifactRecord | None:
        """Return what is published at a location."""
        ...

    def correct_live(self, task: ClaimedTask, live: ArtifactRecord, etag: str, nbytes: int) -> None:
        """Record what stands where something is live, because a revision put it there and never showed it.

        Raises:
            FenceLost: The claim is no longer held.
        """
        ...

    def close_artifact(self, task: ClaimedTask, record: ArtifactRecord, state: str) -> None:
        """Set an artifact that is being written to ``deleted`` or ``released``.

        Raises:
            FenceLost: The claim is no longer held.
        """
        ...
