"""A process that dies at the n-th of its calls to the outside, before it or after it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Died(BaseException):
    """What nobody in the process can catch."""


class Fuse:
    """Counts the moments at which the process may die, and lets it die at one of them.

    Args:
        moment: Which one; each call has two, before and after.
    """

    def __init__(self, moment: int) -> None:
        self.moment = moment
        self.seen = 0

    @property
    def is_blown(self) -> bool:
        return self.seen > self.moment

    def burn(self) -> None:
        self.seen += 1
        if self.seen == self.moment + 1:
            raise Died


class Mortal:
    """An adapter whose named calls burn a fuse.

    Args:
        adapter: Does the work.
        names: Of the calls that change something.
        managers: Of the calls that open a transaction, whose commit is what counts.
    """

    def __init__(
        self, adapter: Any, fuse: Fuse, names: tuple[str, ...], managers: tuple[str, ...] = ()
    ) -> None:
        self._adapter = adapter
        self._fuse = fuse
        self._names = names
        self._managers = managers

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        if name in self._managers:
            return self._managed(found)
        return self._counted(found) if name in self._names else found

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self._fuse.burn()
            answer = call(*arguments, **options)
            self._fuse.burn()
            return answer

        return counted

    def _managed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def managed(*arguments: Any, **options: Any) -> Iterator[Any]:
            with call(*arguments, **options) as transaction:
                yield transaction
                self._fuse.burn()
            self._fuse.burn()

        return managed
