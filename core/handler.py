"""Handlers: how a task type is declared, and what its function is given."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel

from core.declaration import Location, TaskResult
from core.models.claims import ClaimedTask
from core.models.records import TaskRecord
from core.models.tables import TableName
from core.ports.blobs import BlobProperties, BlobRef, BlobStore, WriteOptions
from core.ports.catalogue import CatalogueReader
from core.ports.clock import Chance
from core.ports.effects import EffectTransaction
from core.ports.isolation import IsolationKind
from core.ports.unpublishing import Unpublishing
from core.ports.vectors import VectorStore


@dataclass(frozen=True)
class Zones:
    """Where this deployment publishes: what lies elsewhere is never removed.

    Args:
        silver: Containers of published blobs.
        schemas: Schemas of published tables.
        system_collections: Collections that stay when they are empty.
    """

    silver: frozenset[str] = frozenset()
    schemas: frozenset[str] = frozenset()
    system_collections: frozenset[str] = frozenset()


Lane = Literal["light", "heavy"]
Role = Literal["intermediate", "published"]

P = TypeVar("P", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class PublishedBlob:
    """A blob that a task has written."""

    ref: BlobRef
    nbytes: int
    etag: str
    url: str


class TaskContext(Protocol):
    """What a handler may use. Everything that it changes outside goes through here.

    Every method may raise `core.errors.Stopped` when the job stops, the lease is lost or the
    process drains; handlers let it pass.
    """

    @property
    def task(self) -> ClaimedTask:
        """Return the claim under which the handler runs."""
        ...

    @property
    def chance(self) -> Chance:
        """Return random numbers, which a simulation can repeat."""
        ...

    @property
    def workspace(self) -> Path:
        """Return the task's own directory, which is removed when the task ends."""
        ...

    @property
    def blobs(self) -> BlobStore:
        """Return the blob store, for reading."""
        ...

    @property
    def catalogue(self) -> CatalogueReader:
        """Return the catalogue, for reading."""
        ...

    @property
    def tables(self) -> VectorStore:
        """Return the vector tables, for reading."""
        ...

    @property
    def unpublishing(self) -> Unpublishing:
        """Return the audit of what was taken back, for reading."""
        ...

    @property
    def temp_container(self) -> str:
        """Return the container of intermediate blobs."""
        ...

    @property
    def zones(self) -> Zones:
        """Return where this deployment publishes."""
        ...

    def progress(self, fraction: float, message: str = "") -> None:
        """Say how far the task is, as a fraction of 1."""
        ...

    def check(self) -> None:
        """Raise `Stopped` if the task should not go on."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Wait, but no longer than until the task should stop."""
        ...

    def results(self, stage: int | None = None) -> Iterator[TaskResult]:
        """Yield results of a stage, the one before by default, in order of key."""
        ...

    def failed(self, stage: int | None = None) -> Iterator[TaskRecord]:
        """Yield the failed tasks of a stage, the one before by default, in order of key."""
        ...

    def download(self, ref: BlobRef, name: str, *, if_match: str | None = None) -> Path:
        """Write a blob to the file `name` of the workspace."""
        ...

    def isolated(
        self,
        target: str,
        parameters: BaseModel,
        result: type[M],
        *,
        kind: IsolationKind,
        watch: Callable[[], None] | None = None,
    ) -> M:
        """Run ``module:function`` in a child without credentials and return its result.

        `watch` is called at least twice a second; what it raises kills the child and is raised from
        here.

        Raises:
            TaskFailed: As the function raised it.
            NativeCrash: The child died.
            OutOfMemory: The child grew too large.
            DeadlineExceeded: The child took too long.
        """
        ...

    def publish_blob(
        self, source: Path, ref: BlobRef, options: WriteOptions, *, checksum: str | None = None
    ) -> PublishedBlob:
        """Write a file to a published place, once, however often the task runs.

        Where something is live already, the file is laid aside and takes its place when the job
        publishes.

        Raises:
            Conflict: The place belongs to another job (``artifact.owned``), or something else
                wrote there (``artifact.conflict``).
        """
        ...

    def copy_blob(
        self, source: BlobProperties, ref: BlobRef, options: WriteOptions, *, checksum: str | None = None
    ) -> PublishedBlob:
        """Publish a blob that is in the store already, without its bytes passing through."""
        ...

    def stage_blob(self, source: Path, name: str) -> BlobRef:
        """Write a file to the temp container, from which clean-up removes it after the job.

        Raises:
            Conflict: Something else wrote there (``artifact.conflict``).
        """
        ...

    def stage_table(self, table: TableName) -> None:
        """Declare that the task is about to load a table aside, which clean-up drops after the job.

        Raises:
            Conflict: Another job loads a table of this name (``artifact.owned``).
        """
        ...

    def is_own(self, location: Location) -> bool:
        """Tell whether what is published in a place was published by an earlier run of this job."""
        ...

    def transaction(self) -> AbstractContextManager[EffectTransaction]:
        """Open a transaction for rows, held by the task's fence."""
        ...

    def publication(self) -> AbstractContextManager[EffectTransaction]:
        """Put what was laid aside in its place, then open the transaction that makes it all visible."""
        ...


@dataclass(frozen=True)
class Handler(Generic[P, R]):
    """A function that does tasks of one type; can be called like it.

    Args:
        task_type: Name by which stages refer to it.
        function: ``(parameters, context) -> result``, both pydantic models.
        parameters: Model of the parameters, from the annotation.
        lane: ``heavy`` for handlers that run isolated children, else ``light``.
        max_attempts: How often it runs when passing faults stop it.
        give_up_after: Age at which a task is failed whatever happens.
    """

    task_type: str
    function: Callable[[P, TaskContext], R]
    parameters: type[P]
    lane: Lane
    max_attempts: int
    give_up_after: timedelta

    def __call__(self, parameters: P, context: TaskContext) -> R:
        """Run the function."""
        return self.function(parameters, context)


def task_handler(
    task_type: str,
    *,
    lane: Lane = "light",
    max_attempts: int = 5,
    give_up_after: timedelta = timedelta(hours=24),
) -> Callable[[Callable[[P, TaskContext], R]], Handler[P, R]]:
    """Declare a function to be the handler of `task_type`.

    Declaring registers nothing: `services.ALL_HANDLERS` lists what there is.

    Raises:
        TypeError: The function is not ``(Model, TaskContext) -> Model``.
    """

    def declare(function: Callable[[P, TaskContext], R]) -> Handler[P, R]:
        return Handler(task_type, function, _parameter_model(function), lane, max_attempts, give_up_after)

    return declare


def _parameter_model(function: Callable[..., Any]) -> type[Any]:
    names = list(inspect.signature(function).parameters)
    hints = get_type_hints(function)
    model, answer = hints.get(names[0]) if names else None, hints.get("return")
    for hint in (model, answer):
        if not (isinstance(hint, type) and issubclass(hint, BaseModel)):
            raise TypeError(f"{function.__name__} is not (Model, TaskContext) -> Model")
    if len(names) != 2:
        raise TypeError(f"{function.__name__} does not take (parameters, context)")
    assert isinstance(model, type)  # noqa: S101 - narrows what the loop above has checked
    return model
