"""Errors of an isolated function on their way to the worker."""

import dataclasses
from typing import Any

from core import codes
from core.errors import (
    ErrorCode,
    InvalidInput,
    OutOfMemory,
    TaskFailed,
    TerraneError,
    TransientError,
    Violation,
    is_out_of_space,
)
from core.json import JsonObject, to_jsonable

# A file decides what GDAL says about it, and how long that is.
_LONGEST_MESSAGE = 4000

_CROSSING: dict[str, type[TerraneError]] = {
    kind.__name__: kind for kind in (TaskFailed, InvalidInput, TransientError, OutOfMemory)
}


def translate(error: Exception) -> TerraneError:
    """Return the error that the worker will see for what a function raised."""
    if isinstance(error, TaskFailed | InvalidInput | TransientError | OutOfMemory):
        return error
    if is_out_of_space(error):
        return TransientError(codes.WORKSPACE_FULL, str(error))
    if isinstance(error, MemoryError):
        return OutOfMemory(codes.NATIVE_OUT_OF_MEMORY, f"an allocation was refused: {error}".rstrip(": "))
    return TaskFailed(codes.TASK_CRASHED, f"{type(error).__name__}: {error}")


def encode(error: TerraneError) -> JsonObject:
    """Return an error that `translate` gave as JSON."""
    kind = next(name for name, kind in _CROSSING.items() if isinstance(error, kind))
    violations = error.violations if isinstance(error, InvalidInput) else ()
    return {
        "kind": kind,
        "code": dataclasses.asdict(error.code),
        "message": error.message[:_LONGEST_MESSAGE],
        "details": {key: _json_or_text(value) for key, value in error.details.items()},
        "violations": [
            {"parameter": each.parameter, "message": each.message, "value": _json_or_text(each.value)}
            for each in violations
        ],
    }


def decode(record: JsonObject) -> TerraneError:
    """Rebuild the error that `encode` described.

    Raises:
        KeyError, TypeError, ValueError: The record is not one of `encode`.
    """
    code, message = ErrorCode(**record["code"]), str(record["message"])
    kind = _CROSSING[record["kind"]]
    error: TerraneError
    if kind is InvalidInput:
        error = InvalidInput(code, message, tuple(Violation(**each) for each in record["violations"]))
    else:
        error = kind(code, message)
    # Set afterwards, so that no name in the details can stand for an argument.
    error.details = dict(record["details"])
    return error


def _json_or_text(value: Any) -> Any:
    try:
        return to_jsonable(value)
    except TypeError:
        return repr(value)
