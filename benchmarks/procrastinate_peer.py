"""Procrastinate's best rate of no-op jobs: one or two workers, several concurrencies.

``python -m benchmarks.procrastinate_peer CONCURRENCY`` is one of those workers.
"""

import asyncio
import sys
from importlib.metadata import version

import procrastinate

from benchmarks.started import seconds_of

_WORKERS = (1, 2)
_CONCURRENCIES = (1, 10, 50)


def name() -> str:
    """Return what is compared with."""
    return f"Procrastinate {version('procrastinate')}"


def best_rate(url: str, jobs: int) -> float:
    """Return jobs a second of the best setting, each with `jobs` jobs already queued.

    Args:
        url: A database of the same server, which nothing else uses.
        jobs: How many no-op jobs a run has.
    """
    return max(_rate(url, jobs, workers, limit) for workers in _WORKERS for limit in _CONCURRENCIES)


def _rate(url: str, jobs: int, workers: int, concurrency: int) -> float:
    asyncio.run(_defer(url, jobs))
    command = [sys.executable, "-m", "benchmarks.procrastinate_peer", url, str(concurrency)]
    return jobs / seconds_of([command] * workers)


def _app(url: str, concurrency: int) -> procrastinate.App:
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=concurrency + 2)
    app = procrastinate.App(connector=connector)

    @app.task(name="noop")
    async def noop() -> None:
        """Do nothing."""

    return app


async def _defer(url: str, jobs: int) -> None:
    app = _app(url, 1)
    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        await app.tasks["noop"].batch_defer_async(*[{} for _ in range(jobs)])


async def _work(url: str, concurrency: int) -> None:
    app = _app(url, concurrency)
    async with app.open_async():
        print("ready", flush=True)
        sys.stdin.readline()
        await app.run_worker_async(wait=False, concurrency=concurrency, install_signal_handlers=False)
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], int(sys.argv[2])))
