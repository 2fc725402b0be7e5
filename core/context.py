"""The world of a running handler."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from core.declaration import Location, TaskResult
from core.handler import PublishedBlob, Zones
from core.heart import Hold
from core.models.claims import ClaimedTask, Ended
from core.models.records import TaskRecord
from core.models.tables import TableName
from core.planning import PagedResults
from core.ports.blobs import BlobProperties, BlobRef, BlobStore, WriteOptions
from core.ports.catalogue import CatalogueReader
from core.ports.clock import Chance, Clock
from core.ports.effects import Artifact, Effects, EffectTransaction
from core.ports.engine import TaskRepository
from core.ports.isolation import ChildProgress, IsolatedCall, IsolatedRunner, IsolationKind
from core.ports.unpublishing import Unpublishing
from core.ports.vectors import VectorStore
from core.publishing import BlobPublisher
from core.workspaces import Workspace, make_workspace

M = TypeVar("M", bound=BaseModel)

_PAGE = 1_000
_NAP = timedelta(milliseconds=200)


@dataclass(frozen=True)
class Surroundings:
    """What every handler of a process shares.

    Args:
        tasks: For results of other tasks.
        blobs: The blob store.
        catalogue: The catalogue, for reading.
        tables: The vector tables, for reading.
        effects: Changes under the fence.
        unpublishing: The audit of what was taken back, for reading.
        zones: Where this deployment publishes.
        isolation: Children for native code.
        clock: This process's clock.
        workspaces: Directory in which each task gets one of its own.
        temp_container: Where intermediate blobs go.
        child_memory_mib: Resident memory that a child may use.
        child_deadline: Longest isolated call.
    """

    tasks: TaskRepository
    blobs: BlobStore
    catalogue: CatalogueReader
    tables: VectorStore
    effects: Effects
    unpublishing: Unpublishing
    zones: Zones
    isolation: IsolatedRunner
    clock: Clock
    workspaces: Path
    temp_container: str
    child_memory_mib: int
    child_deadline: timedelta


class RunningTask:
    """A claim at work; see `core.handler.TaskContext`.

    Args:
        hold: The claim, and whether it should go on.
        around: What it shares with the others.
        chance: Random numbers.
    """

    def __init__(self, hold: Hold, around: Surroundings, chance: Chance) -> None:
        self._hold = hold
        self._around = around
        self._chance = chance
        self._workspace: Workspace | None = None
        self.ended: Ended | None = None

    @property
    def task(self) -> ClaimedTask:
        """Return the claim."""
        return self._hold.task

    @property
    def blobs(self) -> BlobStore:
        """Return the blob store."""
        return self._around.blobs

    @property
    def catalogue(self) -> CatalogueReader:
        """Return the catalogue."""
        return self._around.catalogue

    @property
    def tables(self) -> VectorStore:
        """Return the vector tables."""
        return self._around.tables

    @property
    def chance(self) -> Chance:
        """Return random numbers."""
        return self._chance

    @property
    def unpublishing(self) -> Unpublishing:
        """Return the audit of what was taken back."""
        return self._around.unpublishing

    @property
    def temp_container(self) -> str:
        """Return the container of intermediate blobs."""
        return self._around.temp_container

    @property
    def zones(self) -> Zones:
        """Return where this deployment publishes."""
        return self._around.zones

    @property
    def workspace(self) -> Path:
        """Return the task's directory, made at the first use."""
        if self._workspace is None:
            self._workspace = make_workspace(self._around.workspaces, self.task.task_id)
        return self._workspace.path

    def close(self) -> None:
        """Remove the workspace."""
        if self._workspace is not None:
            self._workspace.remove()

    def progress(self, fraction: float, message: str = "") -> None:
        """Note how far the task is; the next heartbeat carries it."""
        self._hold.progress = min(max(fraction, 0.0), 1.0)
        self._hold.message = message or self._hold.message
        self.check()

    def check(self) -> None:
        """Raise `Stopped` if the task should not go on."""
        self._hold.check()

    def sleep(self, duration: timedelta) -> None:
        """Wait in short naps, looking up between them."""
        end = self._around.clock.monotonic() + duration.total_seconds()
        while (left := end - self._around.clock.monotonic()) > 0:
            self.check()
            self._around.clock.sleep(min(_NAP, timedelta(seconds=left)))
        self.check()

    def results(self, stage: int | None = None) -> Iterator[TaskResult]:
        """Yield results of a stage in order of key."""
        return iter(
            PagedResults(self._around.tasks, self.task.job_id, self.task.revision, self._stage(stage))
        )

    def failed(self, stage: int | None = None) -> Iterator[TaskRecord]:
        """Yield the failed tasks of a stage in order of key."""
        after = ""
        while True:
            page = self._around.tasks.failures(
                self.task.job_id, self.task.revision, self._stage(stage), after, _PAGE
            )
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].key

    def download(self, ref: BlobRef, name: str, *, if_match: str | None = None) -> Path:
        """Write a blob to a file of the workspace."""
        self.check()
        target = self.workspace / name
        self._around.blobs.download(ref, target, if_match=if_match)
        self.check()
        return target

    def isolated(
        self,
        target: str,
        parameters: BaseModel,
        result: type[M],
        *,
        kind: IsolationKind,
        watch: Callable[[], None] | None = None,
    ) -> M:
        """Run a function in a child and return its result."""
        call = IsolatedCall(
            kind=kind,
            target=target,
            parameters=parameters.model_dump(mode="json"),
            workspace=self.workspace,
            deadline=min(self._around.child_deadline, self.task.time_left),
            memory_mib=self._around.child_memory_mib,
        )

        def look(progress: ChildProgress | None) -> None:
            if progress is not None:
                self.progress(progress.fraction, progress.message)
            self.check()
            if watch is not None:
                watch()

        return result.model_validate(self._around.isolation.run(call, look))

    def publish_blob(
        self, source: Path, ref: BlobRef, options: WriteOptions, *, checksum: str | None = None
    ) -> PublishedBlob:
        """Write a file to a published place."""
        self.check()
        return self._publisher().publish(
            ref, options, checksum, lambda to, how: self._around.blobs.upload(source, to, how)
        )

    def copy_blob(
        self, source: BlobProperties, ref: BlobRef, options: WriteOptions, *, checksum: str | None = None
    ) -> PublishedBlob:
        """Publish a blob that is in the store already."""
        self.check()
        return self._publisher().publish(
            ref, options, checksum, lambda to, how: self._around.blobs.copy(source.ref, to, how)
        )

    def stage_blob(self, source: Path, name: str) -> BlobRef:
        """Write a file to the temp container."""
        self.check()
        ref = BlobRef(self._around.temp_container, name)
        self._publisher().stage(ref, lambda to, how: self._around.blobs.upload(source, to, how))
        return ref

    def stage_table(self, table: TableName) -> None:
        """Declare that the task is about to load a table aside."""
        self.check()
        self._publisher().begin(Artifact("table", str(table), "intermediate"))

    def is_own(self, location: Location) -> bool:
        """Tell whether an earlier run of this job published what is in a place."""
        live = self._around.effects.live_artifact(location.kind, location.name)
        return live is not None and live.job_id == self.task.job_id

    @contextmanager
    def transaction(self) -> Iterator[EffectTransaction]:
        """Open a transaction for rows, held by the task's fence."""
        self.check()
        with self._around.effects.transaction(self.task) as transaction:
            yield transaction
        self.ended = transaction.ended

    @contextmanager
    def publication(self) -> Iterator[EffectTransaction]:
        """Put what was laid aside in its place, then open the transaction that shows it all."""
        self.check()
        self._publisher().put_in_place()
        with self.transaction() as transaction:
            transaction.publish()
            yield transaction

    def _stage(self, stage: int | None) -> int:
        return self.task.stage - 1 if stage is None else stage

    def _publisher(self) -> BlobPublisher:
        return BlobPublisher(self.task, self._around.blobs, self._around.effects, self._around.temp_container)
