"""No-op tasks end to end, from POST to completed, beside Procrastinate on the same server."""

import asyncio
import time
from importlib.metadata import version
from itertools import pairwise

import procrastinate

from benchmarks.system import System, system
from benchmarks.table import Row

_SIZES = (100, 1_000, 10_000)
_PEER_CONCURRENCY = (1, 10, 50)


def run() -> list[Row]:
    """Measure both on one server, ours first."""
    with system() as local:
        rows = _ours(local)
        name, rate = asyncio.run(_peer(local, _SIZES[-1]))
        largest = rows[-1]
        return [*rows[:-1], Row(largest.name, largest.ours, largest.unit, rate, name)]


def _ours(local: System) -> list[Row]:
    local.run_job("hello_world", {"n": 10, "message": "warm up"})
    rows: list[Row] = []
    latencies = sorted(_seconds(local, 0, f"one {number}") for number in range(30))
    rows.append(Row("one-task job on an idle system, p50", latencies[15] * 1000, "ms"))
    seconds: dict[int, float] = {}
    for size in _SIZES:
        seconds[size] = min(_seconds(local, size // 2, f"{size} {turn}") for turn in range(2))
    for small, large in pairwise(_SIZES):
        marginal = (seconds[large] - seconds[small]) / (large - small) * 1000
        rows.append(Row(f"marginal cost of a task, {small:,} to {large:,}", marginal, "ms"))
    rows += [Row(f"no-op tasks, {size:,} in one job", size / seconds[size], "tasks/s") for size in _SIZES]
    return rows


def _seconds(local: System, n: int, message: str) -> float:
    """Run hello_world of n greetings and n replies; 0 stands for the smallest there is."""
    began = time.perf_counter()
    local.run_job("hello_world", {"n": max(n, 1), "message": message})
    return time.perf_counter() - began


async def _peer(local: System, jobs: int) -> tuple[str, float]:
    """Return Procrastinate's best rate over some concurrencies of one worker."""
    # On the same server, in the database that this system leaves empty.
    url = local.variables["BUSINESS_DATABASE_URL"]
    best = 0.0
    for concurrency in _PEER_CONCURRENCY:
        connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=concurrency + 2)
        app = procrastinate.App(connector=connector)

        @app.task(name="noop")
        async def noop() -> None:
            """Do nothing."""

        async with app.open_async():
            if not await app.check_connection_async():
                await app.schema_manager.apply_schema_async()
            await noop.batch_defer_async(*[{} for _ in range(jobs)])
            began = time.perf_counter()
            await app.run_worker_async(wait=False, concurrency=concurrency, install_signal_handlers=False)
            best = max(best, jobs / (time.perf_counter() - began))
    return f"Procrastinate {version('procrastinate')}", best
