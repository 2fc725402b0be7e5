"""What a job type declares, and what its planners are given."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from inspect import isclass
from typing import Any, Literal, Protocol, get_args

from pydantic import BaseModel

from core.json import JsonObject
from core.ports.blobs import BlobRef

#: Version of the rows that this release writes; a worker leaves newer ones to newer workers.
ROW_VERSION = 1

Identity = Literal["for_ever", "while_active"]

_ID_LENGTH = 64
# Ids cut shorter than this would share their folders.
_TEMPLATE = re.compile(
    r"(?P<parent>(?:[^/{}]+/)*)\{job_id(?:\[:(?P<length>[89]|[1-5]\d|6[0-3])\])?\}(?P<rest>/(?:[^/{}]+/)*)"
)


class Parallelism(StrEnum):
    """How many tasks a stage has."""

    #: Exactly one.
    SINGLE = "single"
    #: As many as its planner yields; none is allowed.
    FAN_OUT = "fan_out"
    #: Exactly one, which reads the results of the stage before it.
    FAN_IN = "fan_in"


@dataclass(frozen=True)
class Stage:
    """A step of a job; its number is its position, from 1.

    Args:
        name: Unique in the job; its planner is the method ``plan_<name>``.
        task_type: Name of the handler of its tasks.
        parallelism: How many tasks it has.
        on_task_failure: ``stop``: a task's final failure stops the job; ``continue``: the other
            tasks go on and the job ends as ``completed_with_errors``.
        needs: How many results of the stage before it must be there; None means all of them.
    """

    name: str
    task_type: str
    parallelism: Parallelism | Literal["single", "fan_out", "fan_in"] = Parallelism.SINGLE
    on_task_failure: Literal["stop", "continue"] = "stop"
    needs: int | None = None

    def __post_init__(self) -> None:
        """Accept the parallelism by name."""
        object.__setattr__(self, "parallelism", Parallelism(self.parallelism))


@dataclass(frozen=True)
class TaskPlan:
    """A task that a stage will have. Its key is unique in the stage; at most 64 KiB of parameters."""

    key: str
    parameters: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class TaskResult:
    """What a completed task left, under its key."""

    key: str
    result: JsonObject


class PreviousResults(Protocol):
    """The results of the stage before, in order of key, read in pages."""

    def __iter__(self) -> Iterator[TaskResult]:
        """Yield every result."""
        ...

    def one(self) -> TaskResult:
        """Return the only result of a stage of one task."""
        ...


@dataclass(frozen=True)
class Location:
    """A place that a job publishes to: a blob, a table or a catalogue item."""

    kind: Literal["blob", "table", "item"]
    name: str


@dataclass(frozen=True)
class ResourceCheck:
    """A declared check of what the parameters name, run before anything is written.

    Args:
        validator: Name of a registered resource validator.
        parameter: The parameter that a violation is reported for.
        options: What the validator needs to know beside it, e.g. which parameter names the
            container.
    """

    validator: str
    parameter: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PrefixTemplate:
    """Where a job type leaves intermediate blobs: ``temp/vector_etl/{job_id}/``, ``{job_id[:8]}/tiles/``.

    The id, whole or cut to at least eight characters, is a folder of its own.

    Args:
        container: The container by its default name; a deployment that calls it otherwise knows.
        prefix: At least two path segments, one of them the id, with a slash at the end.

    Raises:
        ValueError: The prefix could take more than one job's blobs.
    """

    container: str
    prefix: str

    def __post_init__(self) -> None:
        """Refuse a template whose prefix is not a folder below or above the job's own."""
        self._parts()

    @property
    def parent(self) -> str:
        """Return the folder in which the folders of the jobs lie; empty: the container itself."""
        return self._parts()[0]

    def of(self, job_id: str) -> str:
        """Return the prefix of a job, or of all jobs whose ids begin with `job_id`."""
        parent, length, rest = self._parts()
        return f"{parent}{job_id[:length]}{rest}"

    def key(self, job_id: str) -> str:
        """Return as much of a job's id as the prefix holds."""
        return job_id[: self._parts()[1]]

    def key_in(self, folder: str) -> str | None:
        """Return the id, or its beginning, that a folder below `parent` is named for, if it is."""
        parent, length, _ = self._parts()
        name = folder.removeprefix(parent).removesuffix("/")
        return name if re.fullmatch(rf"[0-9a-f]{{{length}}}", name) else None

    def _parts(self) -> tuple[str, int, str]:
        found = _TEMPLATE.fullmatch(self.prefix)
        if found is None or (not found["parent"] and found["rest"] == "/"):
            raise ValueError(f"{self.prefix!r} does not give each job a folder of its own")
        return found["parent"], int(found["length"] or _ID_LENGTH), found["rest"]


class JobType(Protocol):
    """A declaration, as the engine sees it; `jobs.mixins.JobBaseMixin` implements it.

    `parameters` are an instance of the job type's own `parameters_schema`, hence Any.
    """

    @property
    def job_type(self) -> str:
        """Return its name in requests."""
        ...

    @property
    def description(self) -> str:
        """Return one sentence for those who choose."""
        ...

    @property
    def parameters_schema(self) -> type[BaseModel]:
        """Return the model of its parameters."""
        ...

    @property
    def stages(self) -> Sequence[Stage]:
        """Return its steps in order."""
        ...

    @property
    def resource_validators(self) -> Sequence[ResourceCheck]:
        """Return the checks of what its parameters name."""
        ...

    @property
    def identity(self) -> Identity:
        """Return whether a completed job stands for ever."""
        ...

    @property
    def intermediate_blobs(self) -> Sequence[PrefixTemplate]:
        """Return where it leaves intermediate blobs."""
        ...

    def identity_parameters(self, parameters: Any) -> JsonObject:
        """Return the parameters that make the job's id."""
        ...

    def publishes(self, parameters: Any) -> Sequence[Location]:
        """Return the places that the job will publish to, as far as its parameters tell."""
        ...

    def replaces(self, parameters: Any) -> bool:
        """Return whether the job may take over what another one published."""
        ...

    def sources(self, parameters: Any) -> Sequence[BlobRef]:
        """Return the blobs that the job reads, whose change makes a completed job run again."""
        ...

    def plan(self, stage: str, parameters: Any, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Yield the tasks of the stage named `stage`; pure, and streamed where there are many."""
        ...


def parameter_names(schema: type[BaseModel], path: Sequence[str | int] = ()) -> tuple[str, ...]:
    """Return the names by which callers know the parameters of a model, in order.

    Args:
        schema: The model.
        path: Names that lead to a model within it, whose parameters are meant; without such a
            model there are none.
    """
    for part in path:
        nested = _nested_model(schema, part)
        if nested is None:
            return ()
        schema = nested
    return tuple(field.alias or name for name, field in schema.model_fields.items())


def _nested_model(schema: type[BaseModel], part: str | int) -> type[BaseModel] | None:
    for name, info in schema.model_fields.items():
        if part in (name, info.alias):
            options = (info.annotation, *get_args(info.annotation))
            return next((each for each in options if isclass(each) and issubclass(each, BaseModel)), None)
    return None
