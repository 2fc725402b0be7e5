"""Dropping and recreating schemas, as their owner, without losing what cannot be made again."""

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

import psycopg
from psycopg import sql

from core import codes
from core.errors import Conflict
from core.json import JsonObject
from core.ports.blobs import BlobRef, BlobStore, WriteOptions
from infrastructure import migrations
from infrastructure.archive import read_archive, table_exists, write_archive
from infrastructure.countries import install_countries
from infrastructure.database import Connection, Database
from infrastructure.pgstac_bootstrap import PgStacBootstrap
from infrastructure.sql import load

logger = logging.getLogger(__name__)

Schema = Literal["app", "pgstac", "geo"]

_QUERIES = load("maintenance")
_STATEMENT_TIMEOUT = timedelta(minutes=30)
_LOCK_TIMEOUT_MS = 15_000
_COUNTED: Mapping[Schema, Sequence[str]] = {
    "app": ("jobs", "tasks", "events", "artifacts", "janitor_runs", "unpublished_jobs"),
    "pgstac": ("collections", "items"),
}
# What is gone when its schema is.
_KINDS: Mapping[Schema, str] = {"pgstac": "item", "geo": "table"}


@dataclass(frozen=True)
class Step:
    """One step of a rebuild."""

    name: str
    seconds: float


@dataclass
class Rebuilt:
    """What a rebuild found and did.

    Args:
        before: Number of rows by table, before.
        archive: The blob with what was kept.
        kept: Number of rows in it by table.
        restored: Number of rows by table that were read back.
        lost_artifacts: Published items and tables that went with their schema.
        unpublished_jobs: Their jobs, which can be submitted again.
        sessions_ended: Sessions of the app that were ended; None where the role may not.
        steps: What was done, in order.
    """

    before: Mapping[str, int]
    archive: BlobRef | None = None
    kept: Mapping[str, int] = field(default_factory=dict)
    restored: Mapping[str, int] = field(default_factory=dict)
    lost_artifacts: int = 0
    unpublished_jobs: int = 0
    sessions_ended: int | None = None
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True)
class Maintenance:
    """Rebuilds schemas in one transaction: what fails half way has changed nothing.

    Args:
        database: The app database, seen by the role that owns the schemas.
        bootstrap: Installs pgSTAC as that role.
        app_role: The role of the running app.
        blobs: Where the archive goes.
        container: The container of temporary blobs.
        collections: The catalogue's own collections.
    """

    database: Database
    bootstrap: PgStacBootstrap
    app_role: str
    blobs: BlobStore
    container: str
    collections: Sequence[JsonObject]

    def inventory(self, schemas: Sequence[Schema]) -> dict[str, int]:
        """Return the number of rows by table of what would be dropped."""
        with self.database.transaction(timeout=_STATEMENT_TIMEOUT, read_only=True) as connection:
            return _inventory(connection, schemas)

    def rebuild(self, name: str, schemas: Sequence[Schema], *, force: bool) -> Rebuilt:
        """Drop and recreate schemas; keep published artifacts, their jobs and the audit.

        Args:
            name: What it is called in the archive's name.
            schemas: What is dropped.
            force: Also while jobs run; they are lost.

        Raises:
            Conflict: Jobs run (``maintenance.jobs_active``).
            TransientError: The database or the blob store does not answer; nothing has changed.
        """
        with (
            tempfile.TemporaryDirectory(prefix="terrane-maintenance-") as directory,
            self.database.translated("maintenance"),
            closing(self.database.dedicated(statement_timeout=_STATEMENT_TIMEOUT)) as connection,
        ):
            with connection.transaction():
                run = _Run(self, connection, Path(directory, "archive.jsonl"), schemas)
                run.prepare(name, force=force)
                run.replace()
                run.restore()
                # Who waits for the lock is told to come again, before what it waits for is gone.
                waiting = _end_sessions(connection, self.app_role)
            with run.step("end sessions"):
                others = _end_sessions(connection, self.app_role)
            run.done.sessions_ended = None if others is None else others + (waiting or 0)
        logger.warning("schemas rebuilt", extra={"operation": name, "before": run.done.before})
        return run.done


class _Run:
    """One rebuild, within its transaction."""

    def __init__(
        self, parts: Maintenance, connection: Connection, path: Path, schemas: Sequence[Schema]
    ) -> None:
        self._parts = parts
        self._connection = connection
        self._path = path
        self._schemas = schemas
        self._has_engine = table_exists(connection, "app.jobs")
        self.done = Rebuilt(before={})

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note how long a step took."""
        began = time.monotonic()
        yield
        self.done.steps.append(Step(name, round(time.monotonic() - began, 3)))

    def prepare(self, name: str, *, force: bool) -> None:
        """Lock the engine, make sure that it rests, and lay aside what is kept."""
        self._connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT_MS)))
        if self._has_engine:
            with self.step("lock"):
                self._connection.execute(_QUERIES["lock_jobs"])
            if not force:
                _refuse_while_active(self._connection)
        with self.step("count"):
            self.done.before = _inventory(self._connection, self._schemas)
        if self._has_engine:
            with self.step("archive"):
                self._archive(name)

    def replace(self) -> None:
        """Drop the schemas and make them anew."""
        for schema in self._schemas:
            with self.step(f"drop {schema}"):
                self._connection.execute(_QUERIES[f"drop_{schema}"])
        if "app" in self._schemas:
            with self.step("migrate"):
                migrations.forget(self._connection)
                migrations.migrate(self._connection)
                install_countries(self._connection)
        if "pgstac" in self._schemas:
            with self.step("install pgstac"):
                self._parts.bootstrap.install_within(self._connection, self._parts.collections)

    def restore(self) -> None:
        """Read back what was kept, and take note of what is published no longer."""
        if not self._has_engine:
            return
        if "app" in self._schemas:
            with self.step("restore"):
                self.done.restored = read_archive(self._connection, self._path)
                self._connection.execute(_QUERIES["settle_jobs"])
        kinds = [_KINDS[schema] for schema in self._schemas if schema in _KINDS]
        lost = self._connection.execute(_QUERIES["lose_artifacts"], {"kinds": kinds}).fetchone()
        if lost is not None:
            self.done.lost_artifacts, self.done.unpublished_jobs = lost["artifacts"], lost["jobs"]

    def _archive(self, name: str) -> None:
        self.done.kept = write_archive(self._connection, self._path)
        stamp = self._connection.execute(_QUERIES["stamp"]).fetchone()
        ref = BlobRef(self._parts.container, f"maintenance/{name}/{stamp['stamp'] if stamp else name}.jsonl")
        self._parts.blobs.ensure_container(ref.container)
        options = WriteOptions(content_type="application/x-ndjson", if_absent=True)
        self._parts.blobs.upload(self._path, ref, options)
        self.done.archive = ref


def _refuse_while_active(connection: Connection) -> None:
    row = connection.execute(_QUERIES["active_jobs"]).fetchone()
    active = row["jobs"] if row else 0
    if active:
        raise Conflict(
            codes.MAINTENANCE_JOBS_ACTIVE,
            f"{active} jobs run, wait or are being cleaned up after.",
            jobs=active,
        )


def _inventory(connection: Connection, schemas: Sequence[Schema]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for schema in schemas:
        for table in _COUNTED.get(schema, ()):
            if table_exists(connection, f"{schema}.{table}"):
                counts[f"{schema}.{table}"] = _count(connection, schema, table)
    if "geo" in schemas:
        for row in connection.execute(_QUERIES["published_tables"]).fetchall():
            name = row["name"]
            counts[f"geo.{name}"] = (
                _count(connection, "geo", name) if row["readable"] else row["estimated_rows"]
            )
    return counts


def _count(connection: Connection, schema: str, table: str) -> int:
    statement = sql.SQL("SELECT count(*) AS n FROM {}").format(sql.Identifier(schema, table))
    row = connection.execute(statement).fetchone()
    return row["n"] if row else 0


def _end_sessions(connection: Connection, role: str) -> int | None:
    try:
        with connection.transaction():
            row = connection.execute(_QUERIES["end_sessions"], {"role": role}).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        logger.warning("sessions not ended", extra={"role": role})
        return None
    return row["sessions"] if row else 0
