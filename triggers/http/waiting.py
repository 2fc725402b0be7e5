"""Waiting for jobs to end: one question for all waiters, however many there are."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from core.errors import TransientError
from core.states import ENDED_JOB, JobStatus

logger = logging.getLogger(__name__)

_SHORTEST_SECONDS = 0.01
_LONGEST_SECONDS = 0.2
#: The pause grows with the age of the youngest waiter, so that short jobs are answered at once.
_SHARE_OF_AGE = 0.1
#: The pause is at least so many times what the question took.
_REST = 4


class EndedJobs:
    """Tells waiters when their job has ended.

    While anybody waits, one task on the event loop asks for the statuses of all waited-for jobs by
    one call, in a thread of the loop's pool; else nothing runs.

    Args:
        statuses: Returns the status of each known job; it may block.
    """

    def __init__(self, statuses: Callable[[Sequence[str]], Mapping[str, str]]) -> None:
        self._statuses = statuses
        self._waiters: dict[asyncio.Future[None], str] = {}
        self._poller: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._youngest = 0.0

    async def wait(self, job_id: str, seconds: float) -> None:
        """Return when the job has ended, is gone, or `seconds` have passed."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters[waiter] = job_id
        self._youngest = loop.time()
        if self._poller is None or self._poller.done():
            self._arrived = asyncio.Event()
            self._poller = loop.create_task(self._poll())
        self._arrived.set()
        try:
            await asyncio.wait([waiter], timeout=seconds)
        finally:
            waiter.cancel()
            del self._waiters[waiter]

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiters:
                began = loop.time()
                await self._ask()
                await self._rest(_REST * (loop.time() - began))
        finally:
            # Whatever ended the poller, nobody waits for it in vain.
            self._wake(self._waiters)

    async def _ask(self) -> None:
        try:
            found = await asyncio.to_thread(self._statuses, sorted(set(self._waiters.values())))
        except TransientError as error:
            logger.warning("statuses not seen", extra={"reason": error.message})
            return
        self._wake([waiter for waiter, job_id in self._waiters.items() if _has_ended(found.get(job_id))])

    def _wake(self, waiters: Iterable[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _rest(self, least: float) -> None:
        """Pause; a waiter that arrives meanwhile cuts it to the shortest pause."""
        self._arrived.clear()
        await asyncio.sleep(max(_SHORTEST_SECONDS, min(least, _LONGEST_SECONDS)))
        age = asyncio.get_running_loop().time() - self._youngest
        more = min(age * _SHARE_OF_AGE, _LONGEST_SECONDS) - _SHORTEST_SECONDS
        if more > 0 and not self._arrived.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), timeout=more)


def _has_ended(status: str | None) -> bool:
    return status is None or JobStatus(status) in ENDED_JOB
