"""Asking the components whether they are well: in parallel, time-boxed, and not too often."""

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from importlib.metadata import version as installed_version
from typing import Literal

from core.errors import TerraneError
from triggers.bootstrap import App, app

logger = logging.getLogger(__name__)

Status = Literal["healthy", "degraded", "unhealthy"]

_TIME_BOX = timedelta(seconds=5)
_LEAST_FREE_BYTES = 5 * 1024**3


@dataclass(frozen=True)
class Facts:
    """What a component says of itself."""

    status: Status = "healthy"
    version: str | None = None
    detail: str = ""
    violations: int | None = None


@dataclass(frozen=True)
class Finding:
    """What was found out about a component, at an instant of the process's monotonic clock."""

    facts: Facts
    latency: timedelta
    at: float


Check = Callable[[App], Facts]


def _database(parts: App) -> Facts:
    return Facts(version=parts.jobs.ping())


def _bus(parts: App) -> Facts:
    parts.queue.ping()
    return Facts(version=_client("azure-servicebus"))


def _storage(parts: App) -> Facts:
    zones = parts.settings.storage
    sources = (zones.bronze_rasters, zones.bronze_vectors)
    names = (*sources, zones.silver_cogs, zones.silver_mosaicjson, zones.silver_vectors, zones.temp)
    missing = [name for name in names if not parts.blobs.container_exists(name)]
    if missing:
        detail = f"Containers that do not exist: {', '.join(missing)}."
        return Facts("degraded", _client("azure-storage-blob"), detail)
    return Facts(version=_client("azure-storage-blob"))


def _catalogue(parts: App) -> Facts:
    return Facts(version=parts.catalogue.version())


def _engine(parts: App) -> Facts:
    violations = parts.jobs.count_violations()
    pause = parts.tasks.pause_state()
    found = [f"{row.code}: {row.what}" for row in parts.jobs.violations(3)] if violations else []
    if pause.paused:
        found.insert(0, f"Paused by {pause.by or 'unknown'}: {pause.reason or 'no reason given'}.")
    return Facts("degraded" if found else "healthy", parts.version, "; ".join(found), violations)


def _workspace(parts: App) -> Facts:
    free = shutil.disk_usage(parts.settings.engine.workspace or tempfile.gettempdir()).free
    detail = f"{free / 1024**3:.1f} GiB free for work files"
    return Facts("healthy" if free >= _LEAST_FREE_BYTES else "degraded", None, detail)


@cache
def _client(package: str) -> str:
    return f"{package} {installed_version(package)}"


CHECKS: Mapping[str, Check] = {
    "database": _database,
    "bus": _bus,
    "storage": _storage,
    "catalogue": _catalogue,
    "engine": _engine,
    "workspace": _workspace,
}


@dataclass
class HealthChecks:
    """Runs checks, each in one thread at most, however often it is asked for.

    Args:
        checks: Name to check.
        time_box: How long an answer is waited for; a check that takes longer goes on, and nobody
            begins another one meanwhile.
    """

    checks: Mapping[str, Check]
    time_box: timedelta = _TIME_BOX
    _pool: ThreadPoolExecutor | None = None
    _running: dict[str, Future[Finding]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, names: Iterable[str], fresh_for: timedelta = timedelta(0)) -> dict[str, Finding]:
        """Return a finding of each named check, at most `fresh_for` old."""
        parts = app()
        began = time.monotonic()
        with self._lock:
            futures = {name: self._future(name, parts, fresh_for) for name in names}
        wait(futures.values(), timeout=self.time_box.total_seconds())
        waited = timedelta(seconds=time.monotonic() - began)
        return {name: self._finding(future, waited) for name, future in futures.items()}

    def _future(self, name: str, parts: App, fresh_for: timedelta) -> Future[Finding]:
        future = self._running.get(name)
        if future is None or (future.done() and not _is_fresh(future, fresh_for)):
            if self._pool is None:
                self._pool = ThreadPoolExecutor(len(self.checks), thread_name_prefix="health")
            future = self._running[name] = self._pool.submit(_check, self.checks[name], parts)
        return future

    def _finding(self, future: Future[Finding], waited: timedelta) -> Finding:
        if future.done():
            return _told(future)
        detail = f"No answer within {self.time_box.total_seconds():g} s."
        return Finding(Facts("unhealthy", detail=detail), waited, time.monotonic())


def _told(future: Future[Finding]) -> Finding:
    error = future.exception()
    if error is None:
        return future.result()
    logger.error("health check broken", exc_info=(type(error), error, error.__traceback__))
    facts = Facts("unhealthy", detail=f"{type(error).__name__}; the log has more.")
    return Finding(facts, timedelta(0), time.monotonic())


def _is_fresh(future: Future[Finding], fresh_for: timedelta) -> bool:
    if future.exception() is not None:
        return False
    return time.monotonic() - future.result().at < fresh_for.total_seconds()


def _check(check: Check, parts: App) -> Finding:
    began = time.monotonic()
    try:
        facts = check(parts)
    except TerraneError as error:
        facts = Facts("unhealthy", detail=error.message)
    ended = time.monotonic()
    return Finding(facts, timedelta(seconds=ended - began), ended)
