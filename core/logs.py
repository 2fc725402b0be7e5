"""Fields that every log record of a task carries."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

_NONE: Mapping[str, Any] = MappingProxyType({})
_FIELDS: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default=_NONE)


@contextmanager
def bind(**fields: Any) -> Iterator[None]:
    """Add `fields` to every record that is logged in the block."""
    token = _FIELDS.set({**_FIELDS.get(), **fields})
    try:
        yield
    finally:
        _FIELDS.reset(token)


def bound() -> Mapping[str, Any]:
    """Return the fields of the present block, for a formatter."""
    return _FIELDS.get()
