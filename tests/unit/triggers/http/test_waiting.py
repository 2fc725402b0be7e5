import asyncio
import threading
from collections.abc import Mapping, Sequence

from core import codes
from core.errors import TransientError
from core.states import JobStatus
from triggers.http.waiting import EndedJobs

LONG = 30.0


class Statuses:
    """Answers what it is told, and remembers the questions."""

    def __init__(self, **known: str) -> None:
        self.known = known
        self.asked: list[list[str]] = []
        self.threads: set[int] = set()

    def __call__(self, job_ids: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(list(job_ids))
        self.threads.add(threading.get_ident())
        return {job_id: self.known[job_id] for job_id in job_ids if job_id in self.known}


async def until_asked(statuses: Statuses, times: int) -> None:
    async with asyncio.timeout(LONG):
        while len(statuses.asked) < times:
            await asyncio.sleep(0.005)


def test_a_waiter_is_told_when_its_job_has_ended() -> None:
    statuses = Statuses(a=JobStatus.PROCESSING)
    ended = EndedJobs(statuses)

    async def scene() -> None:
        waiting = asyncio.create_task(ended.wait("a", LONG))
        await until_asked(statuses, 2)
        assert not waiting.done()
        statuses.known["a"] = JobStatus.COMPLETED
        await asyncio.wait_for(waiting, LONG / 2)

    asyncio.run(scene())


def test_all_waiters_share_one_question() -> None:
    names = [f"job-{number}" for number in range(500)]
    statuses = Statuses(**dict.fromkeys(names, JobStatus.PROCESSING))
    ended = EndedJobs(statuses)

    async def scene() -> None:
        waiting = [asyncio.create_task(ended.wait(name, LONG)) for name in names for _ in range(2)]
        await until_asked(statuses, 3)
        statuses.known.update(dict.fromkeys(names, JobStatus.FAILED))
        await asyncio.wait_for(asyncio.gather(*waiting), LONG / 2)

    asyncio.run(scene())

    assert len(statuses.asked) < 10
    assert statuses.asked[-1] == sorted(names)


def test_a_waiter_is_let_go_when_its_time_is_over() -> None:
    statuses = Statuses(a=JobStatus.QUEUED)

    asyncio.run(EndedJobs(statuses).wait("a", 0.01))

    assert len(statuses.asked) <= 1


def test_a_job_that_is_gone_is_waited_for_no_longer() -> None:
    asyncio.run(asyncio.wait_for(EndedJobs(Statuses()).wait("a", LONG), LONG / 2))


def test_nothing_is_asked_when_nobody_waits() -> None:
    statuses = Statuses(a=JobStatus.COMPLETED)
    ended = EndedJobs(statuses)

    async def scene() -> None:
        await ended.wait("a", LONG)
        async with asyncio.timeout(LONG):
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.005)

    asyncio.run(scene())

    assert len(statuses.asked) == 1


def test_a_database_that_is_away_for_a_while_is_waited_for() -> None:
    class Flaky(Statuses):
        def __call__(self, job_ids: Sequence[str]) -> Mapping[str, str]:
            found = super().__call__(job_ids)
            if len(self.asked) == 1:
                raise TransientError(codes.DATABASE_UNAVAILABLE, "db.test does not answer.")
            return found

    statuses = Flaky(a=JobStatus.CANCELLED)

    asyncio.run(asyncio.wait_for(EndedJobs(statuses).wait("a", LONG), LONG / 2))

    assert len(statuses.asked) == 2


def test_one_poller_serves_one_event_loop_after_the_other() -> None:
    statuses = Statuses(a=JobStatus.COMPLETED)
    ended = EndedJobs(statuses)

    for _ in range(2):
        asyncio.run(asyncio.wait_for(ended.wait("a", LONG), LONG / 2))

    assert len(statuses.asked) == 2
