"""What every job type shares: a declaration that is checked when it is made."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from core.declaration import (
    Identity,
    Location,
    PrefixTemplate,
    PreviousResults,
    ResourceCheck,
    Stage,
    TaskPlan,
    parameter_names,
)
from core.json import JsonObject, to_jsonable
from core.ports.blobs import BlobRef

#: Pass as `json_schema_extra` of a field that is no part of a job's identity.
NO_IDENTITY: dict[str, Any] = {"x-identity": False}


class JobParameters(BaseModel):
    """Base of the parameters of job types: frozen, unknown fields refused, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, serialize_by_alias=True)


class JobBaseMixin:
    """A job type is a class with these attributes, and one planner for each stage.

    The planner of the stage ``create_cog`` is ``plan_create_cog(parameters, previous)``: a static
    method that yields `TaskPlan`s, pure, without I/O. A class that lacks one is refused where it
    is defined. The class itself is the declaration; nobody makes instances.
    """

    job_type: ClassVar[str]
    description: ClassVar[str]
    parameters_schema: ClassVar[type[BaseModel]]
    stages: ClassVar[Sequence[Stage]]
    resource_validators: ClassVar[Sequence[ResourceCheck]] = ()
    identity: ClassVar[Identity] = "while_active"
    intermediate_blobs: ClassVar[Sequence[PrefixTemplate]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a declaration with a mistake in it.

        Raises:
            TypeError: Something is missing, or does not fit; the message names it.
        """
        super().__init_subclass__(**kwargs)
        for name in ("job_type", "description", "parameters_schema", "stages"):
            if not getattr(cls, name, None):
                raise TypeError(f"{cls.__name__} declares no {name}")
        names = [stage.name for stage in cls.stages]
        if len(set(names)) != len(names):
            raise TypeError(f"{cls.__name__} has two stages of one name")
        _check_planners(cls, names)
        _check_validators(cls)

    @classmethod
    def plan(cls, stage: str, parameters: Any, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Yield the tasks of a stage, by its planner."""
        plans: Iterable[TaskPlan] = getattr(cls, f"plan_{stage}")(parameters, previous)
        return plans

    @classmethod
    def identity_parameters(cls, parameters: Any) -> JsonObject:
        """Return the parameters that make the job's id: without defaults, without what is marked."""
        values = parameters.model_dump(mode="json", exclude_defaults=True)
        return {
            field.alias or name: to_jsonable(values[field.alias or name])
            for name, field in cls.parameters_schema.model_fields.items()
            if _is_identity(field)
            and getattr(parameters, name) != field.get_default(call_default_factory=True)
        }

    @classmethod
    def publishes(cls, parameters: Any) -> Sequence[Location]:  # noqa: ARG003 - for subclasses
        """Return the places that the job will publish to: none."""
        return ()

    @classmethod
    def replaces(cls, parameters: Any) -> bool:
        """Return whether the job may take over another's outputs: if its ``if_exists`` says so."""
        return getattr(parameters, "if_exists", "fail") == "replace"

    @classmethod
    def sources(cls, parameters: Any) -> Sequence[BlobRef]:  # noqa: ARG003 - for subclasses
        """Return the blobs whose change makes a completed job run again: none."""
        return ()


def _is_identity(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return not (isinstance(extra, dict) and extra.get("x-identity") is False)


def _check_planners(cls: type[JobBaseMixin], names: Sequence[str]) -> None:
    for name in names:
        planner = inspect.getattr_static(cls, f"plan_{name}", None)
        if not isinstance(planner, staticmethod):
            raise TypeError(f"{cls.__name__} has no static method plan_{name}(parameters, previous)")
        if len(inspect.signature(planner.__func__).parameters) != 2:
            raise TypeError(f"{cls.__name__}.plan_{name} does not take (parameters, previous)")


def _check_validators(cls: type[JobBaseMixin]) -> None:
    known = parameter_names(cls.parameters_schema)
    for check in cls.resource_validators:
        if check.parameter not in known:
            raise TypeError(
                f"{cls.__name__}: {check.validator} reads an unknown parameter: {check.parameter}"
            )
