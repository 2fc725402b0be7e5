"""Effects under the fence, in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from core.json import JsonObject
from core.models.claims import ClaimedTask, Ended, TaskEnd
from core.ports.catalogue import CatalogueWriter
from core.ports.effects import Artifact, ArtifactRecord, WriteIntent
from core.ports.engine import FenceLost, JobStopping
from core.ports.unpublishing import UnpublishingTransaction
from core.ports.vectors import VectorTransaction
from core.states import Outcome, TaskStatus
from infrastructure.memory.catalogue import InMemoryCatalogue, InMemoryCatalogueTransaction
from infrastructure.memory.ends import end_tasks
from infrastructure.memory.rows import ArtifactRow, record
from infrastructure.memory.state import EngineState
from infrastructure.memory.unpublished import InMemoryUnpublishingTransaction
from infrastructure.memory.vector_store import InMemoryVectorStore, InMemoryVectorTransaction

_CLAIMANT = ("reserved", "writing")


class InMemoryEffectTransaction:
    """`core.ports.engine.EffectTransaction` whose changes apply at its end, together."""

    def __init__(
        self,
        task: ClaimedTask,
        catalogue: InMemoryCatalogueTransaction,
        tables: InMemoryVectorTransaction,
        unpublishing: InMemoryUnpublishingTransaction,
    ) -> None:
        self.task = task
        self.unpublisher = unpublishing
        self.writer = catalogue
        self.table_writer = tables
        self.publishes = False
        self.end: TaskEnd | None = None
        self.ended: Ended | None = None

    @property
    def catalogue(self) -> CatalogueWriter:
        """Return the catalogue, within this transaction."""
        return self.writer

    @property
    def tables(self) -> VectorTransaction:
        """Return the vector tables, within this transaction."""
        return self.table_writer

    @property
    def unpublishing(self) -> UnpublishingTransaction:
        """Return the audit, within this transaction."""
        return self.unpublisher

    def publish(self) -> None:
        """Make what the job's revision wrote for publication live."""
        self.publishes = True

    def complete(self, result: JsonObject) -> None:
        """Let the transaction's last act end the task."""
        self.end = TaskEnd(self.task.task_id, self.task.fence, Outcome.COMPLETED, result)


class InMemoryEffects:
    """`core.ports.effects.Effects` on an `EngineState` and an `InMemoryCatalogue`.

    Args:
        state: The tables.
        catalogue: The catalogue.
        tables: The vector tables; new ones if nobody else is to see them.
    """

    def __init__(
        self, state: EngineState, catalogue: InMemoryCatalogue, tables: InMemoryVectorStore | None = None
    ) -> None:
        self._state = state
        self._catalogue = catalogue
        self._tables = tables or InMemoryVectorStore()

    @contextmanager
    def transaction(self, task: ClaimedTask) -> Iterator[InMemoryEffectTransaction]:
        """Open a transaction that the claim's fence seals."""
        transaction = InMemoryEffectTransaction(
            task,
            self._catalogue.writer(),
            self._tables.writer(),
            InMemoryUnpublishingTransaction(self._state, task),
        )
        try:
            yield transaction
        except BaseException:
            transaction.writer.rollback()
            transaction.unpublisher.rollback()
            raise
        with self._state.locked():
            self._hold(task)
            if transaction.publishes and self._state.jobs[task.job_id].stop_to is not None:
                raise JobStopping(task.job_id)
            transaction.writer.commit()
            transaction.table_writer.commit()
            if transaction.publishes:
                self._publish(task)
            transaction.unpublisher.commit()
            if transaction.end is not None:
                transaction.ended = end_tasks(self._state, [transaction.end])

    def begin_artifact(self, task: ClaimedTask, artifact: Artifact) -> WriteIntent:
        """Declare an intent."""
        with self._state.locked():
            self._hold(task)
            row = self._find(artifact.kind, artifact.location, _CLAIMANT)
            live = self._find(artifact.kind, artifact.location, ("live",))
            if live is not None and live.job_id != task.job_id and not _is_of(row, task):
                return WriteIntent(owner=live.job_id)
            if row is None:
                row = ArtifactRow(
                    artifact.kind, artifact.location, task.job_id, task.revision, artifact.role, "writing"
                )
                self._state.artifacts.append(row)
            if not _is_of(row, task):
                return WriteIntent(owner=row.job_id)
            row.state, row.task_id, row.role = "writing", task.task_id, artifact.role
            row.target, row.updated_at = artifact.target, self._state.clock.now()
            return WriteIntent(etag=row.etag, live_etag=live.etag if live else None)

    def record_artifact(
        self, task: ClaimedTask, artifact: Artifact, etag: str, nbytes: int, checksum: str | None
    ) -> None:
        """Record what was written."""
        with self._state.locked() as now:
            self._hold(task)
            row = self._find(artifact.kind, artifact.location, ("writing",))
            if row is not None and row.job_id == task.job_id:
                row.etag, row.nbytes, row.checksum = etag, nbytes, checksum
                row.updated_at = now

    def artifacts(self, job_id: str, revision: int) -> Sequence[ArtifactRecord]:
        """Return what a revision has reserved, written or published."""
        with self._state.locked():
            mine = [row for row in self._state.artifacts if (row.job_id, row.revision) == (job_id, revision)]
            return [record(ArtifactRecord, row) for row in mine]

    def live_artifact(self, kind: str, location: str) -> ArtifactRecord | None:
        """Return what is published at a location."""
        with self._state.locked():
            row = self._find(kind, location, ("live",))
            return record(ArtifactRecord, row) if row else None

    def correct_live(self, task: ClaimedTask, live: ArtifactRecord, etag: str, nbytes: int) -> None:
        """Record what stands at a live place."""
        with self._state.locked() as now:
            self._hold(task)
            row = self._find(live.kind, live.location, ("live",))
            if row is not None and row.etag == live.etag:
                row.etag, row.nbytes, row.checksum, row.updated_at = etag, nbytes, None, now

    def close_artifact(self, task: ClaimedTask, record: ArtifactRecord, state: str) -> None:
        """Say what became of an artifact."""
        with self._state.locked() as now:
            self._hold(task)
            row = self._find(record.kind, record.location, ("writing",))
            if row is not None and (row.job_id, row.revision) == (record.job_id, record.revision):
                row.become(state, now)

    def _hold(self, claim: ClaimedTask) -> None:
        task = self._state.tasks[claim.task_id]
        if task.fence != claim.fence or task.status is not TaskStatus.PROCESSING:
            raise FenceLost(claim.task_id)

    def _find(self, kind: str, location: str, states: tuple[str, ...]) -> ArtifactRow | None:
        for row in self._state.artifacts:
            if (row.kind, row.location) == (kind, location) and row.state in states:
                return row
        return None

    def _publish(self, task: ClaimedTask) -> None:
        now = self._state.clock.now()
        for row in self._state.artifacts:
            mine = (row.job_id, row.revision) == (task.job_id, task.revision)
            # Items and tables are written in this very transaction: their reservations are all there is.
            written = row.state == "writing" or (row.state == "reserved" and row.kind in ("item", "table"))
            if not (mine and written and row.role == "published"):
                continue
            former = self._find(row.kind, row.location, ("live",))
            if former is not None:
                former.become("deleted", now)
                if former.job_id != row.job_id:
                    superseded = self._state.jobs[former.job_id]
                    superseded.superseded_by, superseded.updated_at = row.job_id, now
            row.become("live", now)


def _is_of(row: ArtifactRow | None, task: ClaimedTask) -> bool:
    return row is not None and (row.job_id, row.revision) == (task.job_id, task.revision)
