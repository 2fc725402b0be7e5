"""Every error code that a user can meet, by its name."""

from collections.abc import Iterator, Mapping
from types import ModuleType

from core import codes as core_codes
from core.errors import ErrorCode
from core.json import JsonObject
from infrastructure import validators
from services import hello
from services.raster import codes as raster_codes
from services.vector import codes as vector_codes
from triggers.apis import codes as api_codes
from triggers.http import codes as http_codes

#: The modules that declare codes.
CODE_MODULES: tuple[ModuleType, ...] = (
    core_codes,
    hello,
    raster_codes,
    vector_codes,
    validators,
    http_codes,
    api_codes,
)


def _declared(modules: tuple[ModuleType, ...]) -> Iterator[ErrorCode]:
    for module in modules:
        yield from (value for value in vars(module).values() if isinstance(value, ErrorCode))


#: Code to its description, in order of code.
ERROR_CODES: Mapping[str, ErrorCode] = {
    code.code: code for code in sorted(_declared(CODE_MODULES), key=lambda code: code.code)
}


def complete(error: JsonObject) -> JsonObject:
    """Return a recorded error with remedy and retryable.

    The store records what it finds itself with code and message only; what a worker recorded keeps
    its own words, which may be of another release.
    """
    known = ERROR_CODES.get(error.get("code", ""))
    return {
        "code": error.get("code", http_codes.INTERNAL_ERROR.code),
        "message": error.get("message", ""),
        "remedy": error.get("remedy", known.remedy if known else ""),
        "retryable": error.get("retryable", known.retryable if known else False),
        "task_id": error.get("task_id"),
        "details": error.get("details", {}),
    }
