"""What the database server and the engine's tables tell about themselves."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg import sql

from core.json import JsonObject
from core.models.records import TaskRecord
from infrastructure import migrations, rows
from infrastructure.database import Database
from infrastructure.read_only import ReadOnly, Refused
from infrastructure.sql import load
from infrastructure.statement_texts import without_values

_QUERIES = load("diagnostics")


@dataclass(frozen=True)
class AnyTaskFilter:
    """Which tasks a list over all jobs has; None does not filter."""

    status: str | None = None
    lane: str | None = None
    task_type: str | None = None


#: Where a list over all jobs goes on: the job's `created_at` and id, the task's stage, kind and key.
TaskCursor = tuple[datetime, str, int, str, str]


class StatisticsMissing(Exception):
    """The server keeps no statistics of statements; the message says what to do about it."""


class PostgresDiagnostics:
    """Answers about sessions, locks, statements and the engine's rows.

    Statements are shown without the values in them: a literal may be anything, a password too.

    Args:
        database: The app database.
    """

    def __init__(self, database: Database) -> None:
        self._read = ReadOnly(database)

    def running(self, limit: int) -> list[JsonObject]:
        """Return sessions that are at work, the longest first."""
        found = self._read.rows(_QUERIES["running"], {"limit": limit})
        return [row | {"query": without_values(row["query"] or "")} for row in found]

    def slow(self, limit: int) -> list[JsonObject]:
        """Return the statements that took the most time in all.

        Raises:
            StatisticsMissing: The extension pg_stat_statements is not there, or not loaded.
        """
        extension = self._read.row(_QUERIES["statements_schema"])
        if extension is None:
            raise StatisticsMissing(
                "The extension pg_stat_statements is not installed in this database. Add it to "
                "shared_preload_libraries (in Azure also to azure.extensions), restart the server, and run "
                "CREATE EXTENSION pg_stat_statements as its owner."
            )
        try:
            found = self._read.rows(_slow_query(extension["schema"]), {"limit": limit})
        except Refused as error:
            raise StatisticsMissing(
                f"The extension pg_stat_statements is installed and does not answer ({error}): add it to "
                "shared_preload_libraries and restart the server."
            ) from error
        return [row | {"query": without_values(row["query"] or "")} for row in found]

    def locks(self, limit: int) -> list[JsonObject]:
        """Return who waits for whom, the longest wait first."""
        found = self._read.rows(_QUERIES["locks"], {"limit": limit})
        return [
            row | {name: without_values(row[name] or "") for name in ("query", "holder_query")}
            for row in found
        ]

    def connections(self, limit: int) -> tuple[JsonObject, list[JsonObject]]:
        """Return the server's limits, and its sessions summed up."""
        limits = self._read.row(_QUERIES["connection_limits"]) or {}
        return limits, self._read.rows(_QUERIES["connections"], {"limit": limit})

    def health(self) -> JsonObject:
        """Return the numbers by which a database is judged."""
        found = self._read.row(_QUERIES["health"]) or {}
        return found | {"most_dead_rows": self._read.rows(_QUERIES["most_dead_rows"])}

    def stats(self) -> JsonObject:
        """Return how many jobs, live tasks and artifacts there are."""
        return {
            "jobs": self._read.rows(_QUERIES["job_counts"]),
            "lanes": self._read.rows(_QUERIES["lanes"]),
            "artifacts": self._read.rows(_QUERIES["artifact_counts"]),
        }

    def tasks(
        self, where: AnyTaskFilter, limit: int, before: TaskCursor | None
    ) -> list[tuple[TaskRecord, TaskCursor]]:
        """Return tasks of every job's present revision, those of the newest job first."""
        created, job_id, stage, kind, key = before or (None, None, None, None, None)
        parameters = asdict(where) | {
            "limit": limit,
            "before_created": created,
            "before_id": job_id,
            "before_stage": stage,
            "before_kind": kind,
            "before_key": key,
        }
        found = self._read.rows(_QUERIES["tasks"], parameters)
        return [
            (rows.task(row), (row["job_created_at"], row["job_id"], row["stage"], row["kind"], row["key"]))
            for row in found
        ]

    def migrations(self) -> tuple[list[JsonObject], Sequence[str]]:
        """Return what was applied to the database, and what this release would add."""
        applied = self._read.rows(_QUERIES["migrations"])
        names = {row["name"] for row in applied}
        return applied, [name for name in migrations.available() if name not in names]


def _slow_query(schema: str) -> sql.Composed:
    # Texts of other roles are hidden from a role that is no member of pg_read_all_stats.
    return sql.SQL(
        "SELECT s.query, s.calls, s.rows, s.total_exec_time / 1000 AS total_seconds, "
        "s.mean_exec_time / 1000 AS mean_seconds, s.max_exec_time / 1000 AS longest_seconds, "
        "s.shared_blks_read AS blocks_read, s.temp_blks_written AS temp_blocks_written "
        "FROM {statements} s WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "ORDER BY s.total_exec_time DESC LIMIT %(limit)s"
    ).format(statements=sql.Identifier(schema, "pg_stat_statements"))
