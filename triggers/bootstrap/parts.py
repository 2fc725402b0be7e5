"""Parts of the app that are made once, when they are first asked for."""

import threading
from functools import cached_property
from typing import Any, Self, TypeVar, overload

T = TypeVar("T")

#: Held while a part is made, so that two threads do not make two.
LOCK = threading.RLock()


class part(cached_property[T]):  # noqa: N801 - used like the decorator that it extends
    """A part of the app, made once, when the first thread asks for it."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Self | T:
        """Return the part; `cached_property` alone lets two threads make two."""
        with LOCK:
            return super().__get__(instance, owner)
