"""Effects under the fence, in PostgreSQL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import psycopg

from core.json import JsonObject
from core.models.claims import ClaimedTask, Ended, TaskEnd
from core.ports.catalogue import CatalogueWriter
from core.ports.effects import Artifact, ArtifactRecord, WriteIntent
from core.ports.engine import FenceLost, JobStopping
from core.ports.unpublishing import UnpublishingTransaction
from core.ports.vectors import VectorTransaction
from core.states import Outcome
from infrastructure import rows
from infrastructure.database import Connection, Database
from infrastructure.pgstac_repository import PgStacRepository
from infrastructure.sql import load
from infrastructure.task_repository import end_parameters
from infrastructure.unpublished_repository import PostgresUnpublishingTransaction
from infrastructure.vector_store import PostgisVectorTransaction

_QUERIES = load("artifacts")
_TASKS = load("tasks")
_FENCE_LOST = "TR001"
_JOB_STOPPING = "TR002"
_EFFECT_TIMEOUT = timedelta(minutes=10)


class PostgresEffectTransaction:
    """`core.ports.engine.EffectTransaction` on one connection."""

    def __init__(
        self,
        connection: Connection,
        task: ClaimedTask,
        catalogue: CatalogueWriter,
        tables: VectorTransaction,
        unpublishing: UnpublishingTransaction,
    ) -> None:
        self._connection = connection
        self._task = task
        self._catalogue = catalogue
        self._tables = tables
        self._unpublishing = unpublishing
        self._end: TaskEnd | None = None
        self._publishes = False
        self.ended: Ended | None = None

    @property
    def catalogue(self) -> CatalogueWriter:
        """Return the catalogue, within this transaction."""
        return self._catalogue

    @property
    def tables(self) -> VectorTransaction:
        """Return the vector tables, within this transaction."""
        return self._tables

    @property
    def unpublishing(self) -> UnpublishingTransaction:
        """Return the audit, within this transaction."""
        return self._unpublishing

    def publish(self) -> None:
        """Make what the job's revision wrote for publication live."""
        self._connection.execute(_QUERIES["publish_artifacts"], self._revision())
        self._publishes = True

    def complete(self, result: JsonObject) -> None:
        """Let the transaction's last statement end the task."""
        self._end = TaskEnd(self._task.task_id, self._task.fence, Outcome.COMPLETED, result)

    def seal(self) -> None:
        """Run the last statements: they end the task, or hold its fence until the commit.

        They come last because their locks keep heartbeats out, and those who want to stop the job.

        Raises:
            FenceLost: The claim is no longer held.
            JobStopping: What would be published is no longer wanted.
        """
        if self._end is None:
            hold_fence(self._connection, self._task)
        else:
            self._finish(self._end)
        if self._publishes:
            self._connection.execute(_QUERIES["hold_unstopped"], self._revision())

    def _finish(self, end: TaskEnd) -> None:
        row = self._connection.execute(_TASKS["end"], end_parameters([end], 0)).fetchone()
        ended = rows.ended(row)
        if not ended.answers or ended.answers[0].answer != "ended":
            raise FenceLost(self._task.task_id)
        self.ended = ended

    def _revision(self) -> dict[str, str | int]:
        return {"job_id": self._task.job_id, "revision": self._task.revision}


class PostgresEffects:
    """`core.ports.effects.Effects` on the app database, where rows, tables and items live together.

    Args:
        database: The app database.
        catalogue: pgSTAC, in the same database.
    """

    def __init__(self, database: Database, catalogue: PgStacRepository) -> None:
        self._database = database
        self._catalogue = catalogue

    @contextmanager
    def transaction(self, task: ClaimedTask) -> Iterator[PostgresEffectTransaction]:
        """Open a transaction that the claim's fence seals."""
        with _meaning_translated(), self._database.transaction(timeout=_EFFECT_TIMEOUT) as connection:
            transaction = PostgresEffectTransaction(
                connection,
                task,
                self._catalogue.within(connection),
                PostgisVectorTransaction(connection),
                PostgresUnpublishingTransaction(connection, task),
            )
            yield transaction
            transaction.seal()

    def begin_artifact(self, task: ClaimedTask, artifact: Artifact) -> WriteIntent:
        """Declare an intent under the fence."""
        parameters = {
            "kind": artifact.kind,
            "location": artifact.location,
            "task_id": task.task_id,
            "role": artifact.role,
            "target": artifact.target,
        }
        with self._held(task) as connection:
            row = connection.execute(_QUERIES["begin_artifact"], parameters).fetchone()
        return rows.pick(WriteIntent, row or {})

    def record_artifact(
        self, task: ClaimedTask, artifact: Artifact, etag: str, nbytes: int, checksum: str | None
    ) -> None:
        """Record what was written, under the fence."""
        parameters = {
            "kind": artifact.kind,
            "location": artifact.location,
            "job_id": task.job_id,
            "etag": etag,
            "nbytes": nbytes,
            "checksum": checksum,
        }
        with self._held(task) as connection:
            connection.execute(_QUERIES["record_artifact"], parameters)

    def artifacts(self, job_id: str, revision: int) -> Sequence[ArtifactRecord]:
        """Return what a revision has reserved, written or published."""
        parameters = {"job_id": job_id, "revision": revision}
        found = self._database.fetch_all(_QUERIES["list_artifacts"], parameters)
        return [rows.pick(ArtifactRecord, row) for row in found]

    def live_artifact(self, kind: str, location: str) -> ArtifactRecord | None:
        """Return what is published at a location."""
        row = self._database.fetch_one(_QUERIES["live_artifact"], {"kind": kind, "location": location})
        return rows.pick(ArtifactRecord, row) if row else None

    def correct_live(self, task: ClaimedTask, live: ArtifactRecord, etag: str, nbytes: int) -> None:
        """Record what stands at a live place, under the fence."""
        parameters = {
            "kind": live.kind,
            "location": live.location,
            "former": live.etag,
            "etag": etag,
            "nbytes": nbytes,
        }
        with self._held(task) as connection:
            connection.execute(_QUERIES["correct_live"], parameters)

    def close_artifact(self, task: ClaimedTask, record: ArtifactRecord, state: str) -> None:
        """Say what became of an artifact, under the fence."""
        parameters = {
            "kind": record.kind,
            "location": record.location,
            "job_id": record.job_id,
            "revision": record.revision,
            "state": state,
        }
        with self._held(task) as connection:
            connection.execute(_QUERIES["close_artifact"], parameters)

    @contextmanager
    def _held(self, task: ClaimedTask) -> Iterator[Connection]:
        with _meaning_translated(), self._database.transaction() as connection:
            yield connection
            hold_fence(connection, task)


def hold_fence(connection: Connection, task: ClaimedTask) -> None:
    """Keep a claim's fence until the transaction ends.

    Raises:
        FenceLost: The claim is no longer held.
    """
    with _meaning_translated():
        connection.execute(_QUERIES["hold_fence"], {"task_id": task.task_id, "fence": task.fence})


@contextmanager
def _meaning_translated() -> Iterator[None]:
    try:
        yield
    except psycopg.DatabaseError as error:
        if error.sqlstate == _FENCE_LOST:
            raise FenceLost(str(error)) from error
        if error.sqlstate == _JOB_STOPPING:
            raise JobStopping(str(error)) from error
        raise
