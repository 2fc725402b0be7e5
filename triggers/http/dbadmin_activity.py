"""For operators: what the database server is doing, and how much there is of everything."""

from collections.abc import Iterator
from http import HTTPStatus

from pydantic import Field

from core.json import JsonObject
from infrastructure.diagnostics import StatisticsMissing
from triggers.bootstrap import VERSION, app
from triggers.http.activity_schemas import (
    ConnectionGroup,
    Connections,
    DatabaseHealth,
    Diagnostics,
    LockWait,
    LockWaits,
    Migration,
    Migrations,
    RunningQueries,
    RunningQuery,
    SlowQueries,
    SlowQuery,
    Stats,
    Violation,
)
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.requests import Call, Query
from triggers.http.schemas import Pause

resource = Resource("Activity", "For operators: what the database does, read-only.")

# Below these a database of any size is well; beyond them somebody should look.
_LEAST_CACHE_HITS = 0.9
_MOST_OF_CONNECTIONS = 0.8
_OLDEST_TRANSACTION_SECONDS = 600
# Autovacuum works against wraparound from 200 million on; at two thousand million writes stop.
_OLDEST_TRANSACTION_ID = 1_000_000_000
_IN_ALL = 10


class FewQuery(Query):
    """How much is shown."""

    limit: int = Field(default=100, ge=1, le=1_000, description="Most items.")


@resource.route(
    "GET", "dbadmin/queries/running", Contract(query=FewQuery, answers={HTTPStatus.OK: RunningQueries})
)
def list_running_queries(call: Call[FewQuery]) -> Reply:
    """List the sessions of this database that are at work, the longest first.

    Statements are shown without the values in them.
    """
    return Reply(_running(call.query.limit))


@resource.route("GET", "dbadmin/queries/slow", Contract(query=FewQuery, answers={HTTPStatus.OK: SlowQueries}))
def list_slow_queries(call: Call[FewQuery]) -> Reply:
    """List statements by the time that they took in all, or say why nobody counted it."""
    return Reply(_slow(call.query.limit))


@resource.route("GET", "dbadmin/locks", Contract(query=FewQuery, answers={HTTPStatus.OK: LockWaits}))
def list_locks(call: Call[FewQuery]) -> Reply:
    """List who waits for a lock, and who is in the way, the longest wait first."""
    return Reply(_locks(call.query.limit))


@resource.route("GET", "dbadmin/connections", Contract(query=FewQuery, answers={HTTPStatus.OK: Connections}))
def list_connections(call: Call[FewQuery]) -> Reply:
    """Sum up the server's sessions by who they are and what they do."""
    return Reply(_connections(call.query.limit))


@resource.route("GET", "dbadmin/health", Contract(query=Query, answers={HTTPStatus.OK: DatabaseHealth}))
def get_database_health(call: Call[Query]) -> Reply:  # noqa: ARG001 - every route is given its call
    """Return the numbers by which a database is judged, and what is wrong with them."""
    return Reply(_health())


@resource.route("GET", "dbadmin/stats", Contract(query=Query, answers={HTTPStatus.OK: Stats}))
def get_stats(call: Call[Query]) -> Reply:  # noqa: ARG001 - every route is given its call
    """Count jobs by type and state, live tasks by lane, artifacts by kind and state."""
    return Reply(Stats.model_validate(app().diagnostics.stats()))


@resource.route("GET", "dbadmin/diagnostics/all", Contract(query=Query, answers={HTTPStatus.OK: Diagnostics}))
def get_diagnostics(call: Call[Query]) -> Reply:  # noqa: ARG001 - every route is given its call
    """Return everything that an operator asks first, in one answer."""
    parts = app()
    applied, pending = parts.diagnostics.migrations()
    return Reply(
        Diagnostics(
            version=VERSION,
            catalogue_version=parts.catalogue.version(),
            pause=Pause.model_validate(parts.tasks.pause_state()),
            violations=[Violation.model_validate(row) for row in parts.jobs.violations(_IN_ALL)],
            database=_health(),
            stats=Stats.model_validate(parts.diagnostics.stats()),
            connections=_connections(_IN_ALL),
            running=_running(_IN_ALL),
            slow=_slow(_IN_ALL),
            locks=_locks(_IN_ALL),
            migrations=Migrations(
                applied=[Migration.model_validate(row) for row in applied], pending=list(pending)
            ),
        )
    )


def _running(limit: int) -> RunningQueries:
    rows = app().diagnostics.running(limit)
    return RunningQueries(items=[RunningQuery.model_validate(row) for row in rows])


def _slow(limit: int) -> SlowQueries:
    try:
        rows = app().diagnostics.slow(limit)
    except StatisticsMissing as error:
        return SlowQueries(available=False, explanation=str(error), items=[])
    return SlowQueries(
        available=True, explanation=None, items=[SlowQuery.model_validate(row) for row in rows]
    )


def _locks(limit: int) -> LockWaits:
    return LockWaits(items=[LockWait.model_validate(row) for row in app().diagnostics.locks(limit)])


def _connections(limit: int) -> Connections:
    limits, rows = app().diagnostics.connections(limit)
    return Connections(**limits, items=[ConnectionGroup.model_validate(row) for row in rows])


def _health() -> DatabaseHealth:
    found = app().diagnostics.health()
    limits, _ = app().diagnostics.connections(1)
    reasons = list(_reasons(found, limits))
    return DatabaseHealth.model_validate(
        found | {"status": "degraded" if reasons else "healthy", "reasons": reasons}
    )


def _reasons(found: JsonObject, limits: JsonObject) -> Iterator[str]:
    usable = limits["most"] - limits["reserved"]
    if limits["used"] > _MOST_OF_CONNECTIONS * usable:
        yield f"{limits['used']} of {usable} connections are used."
    if found["cache_hit_ratio"] is not None and found["cache_hit_ratio"] < _LEAST_CACHE_HITS:
        yield f"Only {found['cache_hit_ratio']:.0%} of the blocks are found in the cache."
    if (found["longest_transaction_seconds"] or 0) > _OLDEST_TRANSACTION_SECONDS:
        yield f"A transaction is open for {found['longest_transaction_seconds']:.0f} s: vacuum is held up."
    if found["transaction_id_age"] > _OLDEST_TRANSACTION_ID:
        yield f"The oldest row is {found['transaction_id_age']} transactions old: vacuum does not keep up."
