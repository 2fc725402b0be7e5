"""Calling an isolated function by its name, with models in and out."""

import importlib
import inspect
import time
import typing
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from core import codes
from core.errors import TaskFailed
from core.isolation import Child
from core.json import JsonObject

_REPORT_EVERY = timedelta(seconds=0.25)


def invoke(target: str, parameters: JsonObject, child: Child) -> JsonObject:
    """Call the function that `target` names and return its result as JSON.

    Raises:
        TaskFailed: There is no such function, or its model refuses the parameters; or the
            function raised it.
    """
    function = _function(target)
    model = _parameter_model(target, function)
    try:
        validated = model.model_validate(parameters)
    except ValidationError as error:
        raise TaskFailed(codes.TASK_CRASHED, f"{target} refuses its parameters: {error}") from error
    result: BaseModel = function(validated, child)
    return result.model_dump(mode="json")


def _function(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise TaskFailed(codes.TASK_CRASHED, f"no isolated function {target!r}: {error}") from error
    return function


def _parameter_model(target: str, function: Callable[..., Any]) -> type[BaseModel]:
    first = next(iter(inspect.signature(function).parameters), "")
    annotation = typing.get_type_hints(function).get(first)
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        raise TaskFailed(codes.TASK_CRASHED, f"{target} does not name its parameter model")
    return annotation


class RateLimited:
    """A progress callback that passes on the first report and then about four a second.

    Args:
        report: Called with a fraction of 1 and a message.
    """

    def __init__(self, report: Callable[[float, str], None]) -> None:
        self._report = report
        self._next = float("-inf")

    def __call__(self, fraction: float, message: str = "") -> None:
        """Report, unless it was done just now."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _REPORT_EVERY.total_seconds()
            # In this order, a NaN becomes 0.
            self._report(min(max(0.0, fraction), 1.0), message)
