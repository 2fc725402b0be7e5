"""The histories of the simulation, told to PostgreSQL, whose clock says what the simulation's said."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from core.ports.engine import FenceLost, JobStopping
from infrastructure import migrations
from infrastructure.database import Database
from infrastructure.effects import PostgresEffects
from infrastructure.job_repository import PostgresJobRepository
from infrastructure.mending import PostgresMending
from infrastructure.pgstac_repository import PgStacRepository
from infrastructure.task_repository import PostgresTaskRepository
from tests.fixtures.postgres import APP_ROLE, OWNER_ROLE, PostgresServer
from tests.simulation.watched import Call
from tests.simulation.world import World

_MAX_RESCUES = 5

# Functions, views and defaults find these clocks before PostgreSQL's own, because the migrations run,
# and every session works, with `virtual` first in the search path.
_CLOCK = """
CREATE SCHEMA virtual;
CREATE TABLE virtual.clock (at timestamptz NOT NULL);
INSERT INTO virtual.clock VALUES ('2024-05-01 12:00:00+00');
CREATE FUNCTION virtual.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM virtual.clock';
CREATE FUNCTION virtual.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
AS 'SELECT at FROM virtual.clock';
GRANT USAGE ON SCHEMA virtual TO PUBLIC;
GRANT SELECT ON virtual.clock TO PUBLIC;
"""

_EMPTY = """
TRUNCATE app.artifacts, app.events, app.tasks, app.stage_slots, app.stages, app.jobs, app.janitor_runs
    RESTART IDENTITY CASCADE;
UPDATE app.lanes SET bell_at = NULL, last_claim_at = NULL;
UPDATE app.engine SET rescue_after = '-infinity', paused_at = NULL, paused_until = NULL, pause_reason = NULL,
       paused_by = NULL;
"""

_INDEX_SCANS = ("enable_indexscan", "enable_bitmapscan")

_KEYS = {
    "jobs": ("job_id",),
    "stages": ("job_id", "revision", "number"),
    "stage_slots": ("job_id", "revision", "stage", "slot"),
    "tasks": ("task_id",),
    "events": ("job_id", "event_id"),
    "artifacts": ("kind", "location", "artifact_id"),
    "lanes": ("lane",),
}


# Which of several jobs has its event first, where one call changes them all, is left open.
_WITHOUT_MEANING = {"event_id"}


@dataclass(frozen=True)
class VirtualPostgres:
    """A database with a clock that is set.

    Args:
        superuser: Sets it, and reads every table.
        ports: The adapters by the names of their ports.
    """

    superuser: psycopg.Connection[DictRow]
    ports: Mapping[str, Any]

    def empty(self) -> None:
        """Forget everything."""
        self.superuser.execute(_EMPTY)

    def tell(self, history: Sequence[Call]) -> Iterator[str]:
        """Make the calls of a history; yield those that are answered otherwise."""
        told_at: datetime | None = None
        for number, call in enumerate(history):
            if call.port not in self.ports:
                continue
            if call.at != told_at:
                told_at = call.at
                self.superuser.execute("UPDATE virtual.clock SET at = %s", [told_at])
            answer = plain(self._answer(call))
            expected = plain(call.answer)
            if answer != expected:
                differences = ", ".join(differing(expected, answer))
                yield f"call {number}, {call.port}.{call.method} at {call.at}: {differences}"

    def _answer(self, call: Call) -> Any:
        port = self.ports[call.port]
        try:
            if call.method == "transaction":
                return _transact(port, *call.arguments)
            return getattr(port, call.method)(*call.arguments)
        except (FenceLost, JobStopping) as error:
            return type(error)

    @contextmanager
    def without_indexes(self, function: str) -> Iterator[None]:
        """Let a function of the schema's find its rows by scans alone."""
        name = sql.Identifier(*function.split("."))
        for scan in _INDEX_SCANS:
            self.superuser.execute(sql.SQL("ALTER FUNCTION {} SET {} = off").format(name, sql.SQL(scan)))
        try:
            yield
        finally:
            for scan in _INDEX_SCANS:
                self.superuser.execute(sql.SQL("ALTER FUNCTION {} RESET {}").format(name, sql.SQL(scan)))

    def differences(self, table: str, expected: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Yield where the rows of a table are not those of the store in memory."""
        found = self.rows(table)
        if len(found) != len(expected):
            yield f"{len(expected)} rows in memory, {len(found)} in PostgreSQL"
        for row, other in zip(expected, found, strict=False):
            names = sorted(row.keys() & other.keys() - _WITHOUT_MEANING)
            mine, its = (
                plain({name: row[name] for name in names}),
                plain({name: other[name] for name in names}),
            )
            yield from differing(mine, its, "row")

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table in order of key."""
        keys = sql.SQL(", ").join(map(sql.Identifier, _KEYS[table]))
        statement = sql.SQL("SELECT * FROM {} ORDER BY {}").format(sql.Identifier("app", table), keys)
        return [dict(row) for row in self.superuser.execute(statement)]


def _transact(effects: PostgresEffects, task: Any, publishes: bool, result: Any) -> Any:
    with effects.transaction(task) as transaction:
        if publishes:
            transaction.publish()
        if result is not None:
            transaction.complete(result)
    return transaction.ended


def remembered(world: World) -> Mapping[str, list[dict[str, Any]]]:
    """Return the rows of the simulation's store, table by table in order of key."""
    state = world.state
    stages = [
        (job_id, revision, stage)
        for (job_id, revision), found in sorted(state.stages.items())
        for stage in found
    ]
    return {
        "jobs": [vars(state.jobs[name]) for name in sorted(state.jobs)],
        "stages": [
            {"job_id": j, "revision": r} | vars(stage) | {"slots": len(stage.slots)} for j, r, stage in stages
        ],
        "stage_slots": [
            {"job_id": j, "revision": r, "stage": stage.number, "slot": number} | vars(slot)
            for j, r, stage in stages
            for number, slot in enumerate(stage.slots)
        ],
        "tasks": [vars(state.tasks[name]) for name in sorted(state.tasks)],
        "events": [plain(event) for event in sorted(state.events, key=lambda e: (e.job_id, e.event_id))],
        "artifacts": [vars(row) for row in sorted(state.artifacts, key=lambda row: (row.kind, row.location))],
        "lanes": [{"lane": lane} | vars(state.lanes[lane]) for lane in sorted(state.lanes)],
    }


def plain(value: Any) -> Any:
    """Return a value in terms that can be compared: what has no order is put in one."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return sorted((plain(item) for item in value), key=repr)
    return value


def differing(expected: Any, found: Any, path: str = "answer") -> Iterator[str]:
    """Yield where two plain values differ."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        for key in expected:
            yield from differing(expected[key], found[key], f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differing(one, other, f"{path}[{number}]")
    elif expected != found:
        yield f"{path}: in memory {expected!r}, in PostgreSQL {found!r}"


@contextmanager
def virtual_postgres(server: PostgresServer) -> Iterator[VirtualPostgres]:
    """Make a database of the engine's tables alone, under a clock that is set."""
    name = "terrane_virtual"
    with closing(server.connect()) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER {OWNER_ROLE}")
        for role in (OWNER_ROLE, APP_ROLE):
            connection.execute(
                f"ALTER ROLE {role} IN DATABASE {name} SET search_path = virtual, pg_catalog, public"
            )
    with closing(server.connect(name)) as superuser:
        for extension in ("postgis", "btree_gist", "unaccent"):
            superuser.execute(f"CREATE EXTENSION {extension} SCHEMA public")
        superuser.execute(_CLOCK)
        with closing(server.connect(name, OWNER_ROLE)) as owner:
            migrations.migrate(owner)
        with closing(Database(server.settings(name, APP_ROLE), lambda: None, "virtual")) as database:
            tasks = PostgresTaskRepository(database, _MAX_RESCUES)
            ports = {
                "jobs": PostgresJobRepository(database),
                "tasks": tasks,
                "effects": PostgresEffects(database, PgStacRepository(database)),
                "mending": PostgresMending(database),
            }
            yield VirtualPostgres(superuser, ports)
            tasks.close()
    server.drop_database(name)
