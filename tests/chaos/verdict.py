"""What must hold when the faults are over and every job has ended."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import psutil
import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from tests.chaos.faults import Machine
from tests.chaos.workload import VECTOR_ROWS, Workload

# What nobody but a bug raises.
_BUGS = {
    "task.unexpected_error",
    "plan.failed",
    "plan.key_duplicate",
    "engine.illegal_transition",
    "internal.error",
}
# Azurite writes what it knows of its blobs every five seconds.
_AZURITE_FORGETS_SECONDS = 8

_EFFECTLESS = """
SELECT t.job_id, t.revision, t.stage, t.key
  FROM app.tasks t
 WHERE t.task_type IN ('write_counted', 'publish_counted') AND t.kind = 'work' AND t.status = 'completed'
   AND NOT EXISTS (SELECT FROM chaos.effects e
                    WHERE (e.job_id, e.revision, e.stage, e.key) = (t.job_id, t.revision, t.stage, t.key))
"""
_UNENDED = """
SELECT e.job_id, e.revision, e.stage, e.key, e.fence, t.status, t.ended_fence
  FROM chaos.effects e
  LEFT JOIN app.tasks t ON t.kind = 'work'
   AND (e.job_id, e.revision, e.stage, e.key) = (t.job_id, t.revision, t.stage, t.key)
 WHERE e.sealed AND (t.status IS DISTINCT FROM 'completed' OR t.ended_fence IS DISTINCT FROM e.fence)
    OR NOT e.sealed AND coalesce(e.fence > t.ended_fence, true)
"""
_OPEN = """
SELECT (SELECT count(*) FROM app.jobs WHERE completed_at IS NULL) AS jobs,
       (SELECT count(*) FROM app.tasks WHERE completed_at IS NULL) AS tasks,
       (SELECT count(*) FROM app.jobs WHERE cleanup = 'pending') AS cleanups
"""
_SESSIONS = """
SELECT pid, application_name, state, extract(epoch FROM now() - state_change) AS seconds
  FROM pg_stat_activity WHERE usename = 'terrane_app' AND backend_type = 'client backend'
"""
_LEDGERS = """
SELECT s.job_id, s.revision, s.stage
  FROM (SELECT job_id, revision, stage, sum(open) AS open, sum(completed) AS completed, sum(failed) AS failed,
               sum(cancelled) AS cancelled
          FROM app.stage_slots GROUP BY job_id, revision, stage) AS s
  LEFT JOIN (SELECT job_id, revision, stage, count(*) FILTER (WHERE status = 'completed') AS completed,
                    count(*) FILTER (WHERE status = 'failed') AS failed,
                    count(*) FILTER (WHERE status = 'cancelled') AS cancelled
               FROM app.tasks WHERE kind = 'work' GROUP BY job_id, revision, stage) AS t
    USING (job_id, revision, stage)
 WHERE (s.open, s.completed, s.failed, s.cancelled)
       <> (0, coalesce(t.completed, 0), coalesce(t.failed, 0), coalesce(t.cancelled, 0))
"""

# The last thing that was done to each blob, and about when: intent, write, publication or deletion.
_BLOBS = """
SELECT a.location, a.state, ARRAY[extract(epoch FROM a.created_at), extract(epoch FROM t.completed_at),
                                  extract(epoch FROM a.updated_at)]::float8[] AS moments
  FROM app.artifacts a
  LEFT JOIN app.tasks t ON t.task_id = a.task_id
 WHERE a.kind = 'blob'
 ORDER BY a.updated_at
"""
_UNOWNED_TABLES = """
SELECT t.location, a.location AS artifact
  FROM (SELECT 'geo.' || tablename AS location FROM pg_tables WHERE schemaname = 'geo') AS t
  FULL JOIN (SELECT location FROM app.artifacts WHERE kind = 'table' AND state = 'live') AS a USING (location)
 WHERE t.location IS NULL OR a.location IS NULL
"""
_PUBLISHED_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'geo' AND tablename LIKE 'chaos%'"


class Verdict:
    """Looks at what a run has left behind.

    Args:
        workload: What was asked for.
        machine: What was broken.
        jobs: The jobs as they ended.
        settle_seconds: How long what is wrong may take to come right.
    """

    def __init__(
        self,
        workload: Workload,
        machine: Machine,
        jobs: dict[str, dict[str, Any]],
        settle_seconds: float = 120,
    ) -> None:
        self._settle_seconds = settle_seconds
        self._workload = workload
        self._machine = machine
        self._jobs = jobs
        self.excused: Counter[str] = Counter()

    def faults(self) -> list[str]:
        """Return everything that is wrong."""
        variables = self._machine.system.variables
        with psycopg.connect(variables["DATABASE_URL"], autocommit=True, row_factory=dict_row) as connection:
            rules: list[Callable[[psycopg.Connection[DictRow]], Iterator[str]]] = [
                self._unfinished,
                self._bugs,
                self._open_work,
                self._violations,
                self._effects,
                self._ledgers,
                self._blobs,
                self._tables,
                self._bells,
                self._sessions,
                self._processes,
            ]
            return [fault for rule in rules for fault in rule(connection)]

    def _unfinished(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        for job_id, job in self._jobs.items():
            if job["completed_at"] is None:
                why = self._workload.patiently("GET", f"/api/jobs/{job_id}/why").body
                yield f"job {job_id} ({job['job_type']}) has not ended: {why}"

    def _bugs(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        rows = connection.execute(
            "SELECT task_id, task_type, error FROM app.tasks WHERE error ->> 'code' = ANY (%s)", [list(_BUGS)]
        )
        for row in rows:
            yield f"task {row['task_id']} ({row['task_type']}) met a bug: {row['error']}"

    def _open_work(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        def is_done() -> bool:
            return _one(connection, _OPEN) == {"jobs": 0, "tasks": 0, "cleanups": 0}

        if not _within(self._settle_seconds, is_done):
            yield f"there is work left: {_one(connection, _OPEN)}"

    def _violations(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        def is_healthy() -> bool:
            return _one(connection, "SELECT count(*) AS n FROM app.violations") == {"n": 0}

        if not _within(self._settle_seconds, is_healthy):
            for row in connection.execute("SELECT * FROM app.violations").fetchall():
                yield f"violation: {row}"

    def _effects(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        for row in connection.execute(_EFFECTLESS).fetchall():
            yield f"completed without its effect: {row}"
        for row in connection.execute(_UNENDED).fetchall():
            yield f"an effect of a claim that does not count: {row}"

    def _ledgers(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        for row in connection.execute(_LEDGERS).fetchall():
            yield f"the ledger disagrees with its tasks: {row}"

    def _blobs(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        rows = connection.execute(_BLOBS).fetchall()
        live = {row["location"] for row in rows if row["state"] == "live"}
        touched = {row["location"]: row["moments"] for row in rows}

        def orphans() -> set[str]:
            return self._stored() - live

        _within(self._settle_seconds, lambda: not orphans())
        for location in sorted(orphans()):
            yield from self._unless_forgotten("orphan blob", location, touched.get(location, []))
        for location in sorted(live - self._stored()):
            yield from self._unless_forgotten("published blob that is not there", location, touched[location])

    def _tables(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        """Published tables have an owner and every row once; nothing that was loaded aside is left."""

        def aside() -> list[DictRow]:
            return connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'vector_staging'"
            ).fetchall()

        if not _within(self._settle_seconds, lambda: not aside()):
            yield f"tables left aside: {aside()}"
        for row in connection.execute(_UNOWNED_TABLES).fetchall():
            yield f"a table that nobody owns, or an owner without its table: {row}"
        for row in connection.execute(_PUBLISHED_TABLES).fetchall():
            counted = sql.SQL("SELECT count(*) AS rows, count(DISTINCT number) AS numbers FROM {}")
            found = connection.execute(counted.format(sql.Identifier("geo", row["tablename"]))).fetchone()
            if found != {"rows": VECTOR_ROWS, "numbers": VECTOR_ROWS}:
                yield f"rows of {row['tablename']} are not there once each: {found}"

    def _stored(self) -> set[str]:
        found: set[str] = set()
        with self._machine.system.blobs as service:
            for container in service.list_containers():
                if not container.name.startswith("bronze"):
                    blobs = service.get_container_client(container.name).list_blob_names()
                    found |= {f"{container.name}/{name}" for name in blobs}
        return found

    def _unless_forgotten(self, what: str, location: str, moments: Sequence[float | None]) -> Iterator[str]:
        """Yield a fault, unless it is the emulator that forgot a write or a deletion as it was killed.

        Args:
            what: What is wrong.
            location: With which blob.
            moments: When something was done to it.
        """
        kills = self._machine.azurite_killed_at
        ages = [kill - moment for kill in kills for moment in moments if moment is not None]
        if any(0 <= age < _AZURITE_FORGETS_SECONDS for age in ages):
            self.excused[what] += 1
        else:
            yield f"{what}: {location}, touched at {moments}, Azurite killed at {kills}"

    def _bells(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        """There is no work; so whatever bell is left finds none, and soon is gone."""

        def are_silent() -> bool:
            queues = self._workload.patiently("GET", "/api/servicebus/queues").body["items"]
            return not any(queue["waiting"] or queue["dead_letters"] for queue in queues)

        if not _within(self._settle_seconds, are_silent):
            yield f"bells go on: {self._workload.patiently('GET', '/api/servicebus/queues').body}"

    def _sessions(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        def leaks() -> list[DictRow]:
            return [row for row in connection.execute(_SESSIONS).fetchall() if _is_leaked(row)]

        if not _within(self._settle_seconds, lambda: not leaks()):
            for row in leaks():
                yield f"a session without its process, or in a forgotten transaction: {row}"

    def _processes(self, connection: psycopg.Connection[DictRow]) -> Iterator[str]:
        if not _within(self._settle_seconds, lambda: not self._orphans()):
            yield from (f"a child outlived its worker: {orphan}" for orphan in self._orphans())

    def _orphans(self) -> list[str]:
        """Return isolated children of this system that have no worker above them."""
        workers = {worker.pid for worker in self._machine.system.workers()}
        found = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            line = " ".join(process.info["cmdline"] or ())
            path = (process.info["environ"] or {}).get("PYTHONPATH", "")
            if "infrastructure.isolation" in line and str(self._machine.system.home) in path:
                with suppress(psutil.Error):
                    if not workers & {parent.pid for parent in process.parents()}:
                        found.append(f"{process.pid} {line}")
        return found


def _is_leaked(row: DictRow) -> bool:
    name, _, pid = str(row["application_name"]).rpartition(":")
    if name and pid.isdigit() and not psutil.pid_exists(int(pid)):
        return True
    return str(row["state"]).startswith("idle in transaction") and row["seconds"] > 30


def _one(connection: psycopg.Connection[DictRow], statement: str) -> DictRow | None:
    return connection.execute(statement).fetchone()


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Wait for what must become true; say whether it did."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.5)
    return True
