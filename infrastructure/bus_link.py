"""A link to the bus that cannot hold its callers, whatever the SDK below it waits for."""

import logging
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, Generic, Protocol, TypeVar

from azure.core.exceptions import AzureError

logger = logging.getLogger(__name__)


class Closable(Protocol):
    """A sender or receiver of the SDK."""

    def close(self) -> None:
        """Give the link back."""
        ...


Handler = TypeVar("Handler", bound=Closable)
Result = TypeVar("Result")

_CLOSE_SECONDS = 2.0


class BusLink(Generic[Handler]):
    """One sender or receiver, kept open, used by one thread of its own for any number of callers.

    The SDK's senders and receivers are not safe for threads, and its connecting has waits that
    nobody can set (it reads the first answer of a peer without a time limit). So callers wait for
    the thread, and only as long as they like; a late operation goes on without them, and one that
    has not begun is dropped. What fails on a link that was open before is tried again on a new
    one, since the broker may have dropped it; so operations must bear repetition.

    Args:
        name: Name of its thread.
        connect: Makes the sender or receiver; called again after an error.
        abandon_after_seconds: An operation that runs for so long hangs in a read without a time
            limit; its thread is given up and the next call gets a new one.
    """

    def __init__(
        self, name: str, connect: Callable[[], Handler], abandon_after_seconds: float = 45.0
    ) -> None:
        self._abandon_after_seconds = abandon_after_seconds
        self._name = name
        self._connect = connect
        self._lock = Lock()
        self._worker: _Worker[Handler] | None = None
        self._closing: _Worker[Handler] | None = None

    def call(self, operation: Callable[[Handler], Result], timeout_seconds: float) -> Result:
        """Run an operation and return its result.

        Raises:
            TimeoutError: It has not ended in time.
        """
        worker = self._present_worker()
        future = worker.submit(operation)
        try:
            return future.result(timeout_seconds)
        except TimeoutError:
            future.cancel()
            if worker.busy_seconds() > self._abandon_after_seconds:
                self._abandon(worker)
            raise

    def close(self) -> None:
        """Have the link closed; the next call opens it again."""
        with self._lock:
            self._closing, self._worker = self._worker, None
        if self._closing is not None:
            self._closing.end()

    def wait_closed(self) -> None:
        """Return when the link has said goodbye, or hangs."""
        if self._closing is not None:
            self._closing.join(_CLOSE_SECONDS)

    def _present_worker(self) -> "_Worker[Handler]":
        with self._lock:
            if self._worker is None:
                self._worker = _Worker(self._name, self._connect)
            return self._worker

    def _abandon(self, worker: "_Worker[Handler]") -> None:
        with self._lock:
            if self._worker is not worker:
                return
            self._worker = None
        worker.end()
        logger.warning("bus link abandoned", extra={"link": self._name})


class _Worker(Generic[Handler]):
    def __init__(self, name: str, connect: Callable[[], Handler]) -> None:
        self._connect = connect
        self._handler: Handler | None = None
        self._busy_since: float | None = None
        self._orders: queue.SimpleQueue[tuple[Future[Any], Callable[[Handler], Any]] | None] = (
            queue.SimpleQueue()
        )
        # A daemon, so that a hanging link does not keep the process from ending.
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, operation: Callable[[Handler], Result]) -> "Future[Result]":
        future: Future[Result] = Future()
        self._orders.put((future, operation))
        return future

    def busy_seconds(self) -> float:
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def end(self) -> None:
        self._orders.put(None)

    def join(self, timeout_seconds: float) -> None:
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            future, operation = order
            if future.set_running_or_notify_cancel():
                self._busy_since = time.monotonic()
                self._carry_out(future, operation)
                self._busy_since = None
        self._disconnect()

    def _carry_out(self, future: Future[Any], operation: Callable[[Handler], Any]) -> None:
        try:
            result = self._tried(operation)
        except Exception as error:  # noqa: BLE001 - every error belongs to the caller who waits for it
            self._disconnect()
            future.set_exception(error)
        else:
            future.set_result(result)

    def _tried(self, operation: Callable[[Handler], Result]) -> Result:
        if self._handler is not None:
            try:
                return operation(self._handler)
            except Exception as error:  # noqa: BLE001 - the SDK meets a dropped link with errors of all kinds
                logger.info("bus link lost", extra={"reason": type(error).__name__})
                self._disconnect()
        self._handler = self._connect()
        return operation(self._handler)

    def _disconnect(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            # What is broken cannot always be closed, and nobody needs to know.
            with suppress(AzureError, OSError, ValueError):
                handler.close()
