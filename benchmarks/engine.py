"""No-op tasks end to end, from POST to completed, beside Procrastinate on the same server."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from benchmarks import engine_alone, http_load, procrastinate_peer
from benchmarks.system import System, system
from benchmarks.table import Row
from benchmarks.watching import MemoryWatch

_SIZES = (200, 2_000, 20_000)
_COMPARED = 20_000
_PEER_JOBS = 10_000
_TURNS = 3
_IDLE_JOBS = 200
# As many as it takes to be in the way until the last small one.
_LARGE = 200_000
_SMALL_JOBS = 20
_HUGE = 100_000
_SUBMISSIONS = 4_000


def run() -> list[Row]:
    """Measure everything on one server, one after the other."""
    with system() as local:
        local.run_job("hello_world", {"n": 1_000, "message": "warm up"})
        rows = _idle(local)
        peer = procrastinate_peer.best_rate(local.variables["BUSINESS_DATABASE_URL"], _PEER_JOBS)
        seconds = _seconds_by_size(local)
        with_bus = _COMPARED / seconds[_COMPARED]
        alone = _best(lambda: engine_alone.rate(local, _COMPARED))
        rows += [
            _compared(f"no-op tasks through the bus, {_COMPARED:,} in a job", with_bus, peer),
            _compared(f"the engine alone, {_COMPARED:,} in a job", alone, peer),
            *_marginal("", seconds),
        ]
        with open_snapshot(local.variables["DATABASE_URL"]):
            rows += _marginal(", beside an open snapshot", _seconds_by_size(local))
        with slow_commits(local.superuser_url()):
            slow = _COMPARED / _seconds(local, _COMPARED)
        rows.append(Row("commits that take 2 ms more", slow, "tasks/s", with_bus, "commits at full speed"))
        rows += _fairness(local)
        return [*rows, *_huge(local)]


def _idle(local: System) -> list[Row]:
    seconds = sorted(_seconds(local, 2) for _ in range(_IDLE_JOBS))
    return [
        Row("smallest job on an idle system, p50", statistics.median(seconds) * 1000, "ms"),
        Row("  p99", seconds[int(len(seconds) * 0.99)] * 1000, "ms"),
        Row("submissions", http_load.submissions_a_second(local, _SUBMISSIONS), "POST/s"),
    ]


def _compared(name: str, ours: float, peer: float) -> Row:
    return Row(name, ours, "tasks/s", peer, procrastinate_peer.name())


def _best(measure: Callable[[], float]) -> float:
    return max(measure() for _ in range(_TURNS))


def _seconds_by_size(local: System) -> dict[int, float]:
    return {size: min(_seconds(local, size) for _ in range(_TURNS)) for size in _SIZES}


def _marginal(when: str, seconds: dict[int, float]) -> list[Row]:
    """Return what a task more costs in a large job, beside what it costs in a small one."""
    small, middle, large = _SIZES
    first = (seconds[middle] - seconds[small]) / (middle - small) * 1000
    second = (seconds[large] - seconds[middle]) / (large - middle) * 1000
    name = f"cost of a task, {middle:,} to {large:,}{when}"
    return [Row(name, second, "ms", first, f"{small:,} to {middle:,}")]


def _seconds(local: System, tasks: int) -> float:
    """Run hello_world of half as many greetings, each with a reply; every call is a job of its own."""
    began = time.perf_counter()
    local.run_job("hello_world", {"n": tasks // 2, "message": f"{tasks} {time.time()}"})
    return time.perf_counter() - began


def _fairness(local: System) -> list[Row]:
    seconds = http_load.small_beside_large(local, _LARGE, _SMALL_JOBS)
    name = f"{_SMALL_JOBS} smallest jobs beside one of {_LARGE:,}"
    return [Row(f"{name}, p50", statistics.median(seconds), "s"), Row("  slowest", seconds[-1], "s")]


def _huge(local: System) -> list[Row]:
    with MemoryWatch(local) as watch:
        before = watch.now_mib()
        seconds = _seconds(local, _HUGE)
    return [
        Row(f"no-op tasks, {_HUGE:,} in one job", _HUGE / seconds, "tasks/s"),
        Row("  peak memory of a worker, beside before", watch.peak_mib, "MiB", before, "before"),
    ]


@contextmanager
def open_snapshot(url: str) -> Iterator[None]:
    """Keep a transaction open that has taken a snapshot, so that nothing dead can be removed."""
    with psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM app.jobs")
        yield


@contextmanager
def slow_commits(url: str) -> Iterator[None]:
    """Let every commit of the server wait for 2 ms, as those of a cloud's disk do."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("commit_delay = 2000", "commit_siblings = 0"):
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            connection.execute("ALTER SYSTEM RESET commit_delay")
            connection.execute("ALTER SYSTEM RESET commit_siblings")
            connection.execute("SELECT pg_reload_conf()")
