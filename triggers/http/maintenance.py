"""For operators: dropping and recreating what the app keeps in its database."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from http import HTTPStatus
from typing import Literal

import azure.functions as func
from pydantic import Field

from core.errors import Conflict
from infrastructure.maintenance import Maintenance, Schema
from triggers.bootstrap import app
from triggers.http import codes
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.errors import BadRequest
from triggers.http.maintenance_schemas import CleanedUp, RebuildStep, Rebuilt
from triggers.http.requests import Call, Query

logger = logging.getLogger(__name__)

resource = Resource(
    "Maintenance", "For operators: dropping and recreating what the app keeps in its database."
)

_COUNTED_UP_TO = 1_000
_CONSEQUENCES: Mapping[Schema, str] = {
    "app": "jobs, tasks and events but those of published artifacts",
    "pgstac": "the whole catalogue",
    "geo": "every published table",
}


class RebuildQuery(Query):
    """Whether it is meant, and how much."""

    confirm: str = Field(
        default="",
        max_length=10,
        description="`yes`; anything else only says what would go.",
        examples=["yes"],
    )
    force: Literal["yes", "no"] = Field(
        default="no", description="`yes`: also while jobs run; they are lost."
    )


class FullRebuildQuery(RebuildQuery):
    """Whether it is meant, and how much."""

    include: Literal["geo"] | None = Field(default=None, description="`geo`: drop the published tables, too.")


class CleanupQuery(Query):
    """Whether it is meant, and how much."""

    confirm: str = Field(
        default="",
        max_length=10,
        description="`yes`; anything else only says what would go.",
        examples=["yes"],
    )
    days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Days since the jobs' end; ENGINE_RETENTION_DAYS if not given.",
    )


def _contract(query: type[RebuildQuery]) -> Contract[RebuildQuery]:
    return Contract(
        query=query,
        answers={HTTPStatus.OK: Rebuilt},
        problems=(HTTPStatus.CONFLICT,),
        level=func.AuthLevel.ADMIN,
    )


@resource.route("POST", "dbadmin/maintenance/full-rebuild", _contract(FullRebuildQuery))
def rebuild_everything(call: Call[RebuildQuery]) -> Reply:
    """Drop and recreate the schemas `app` and `pgstac`; `geo` only with `include=geo`.

    Published artifacts, their jobs and the audit are laid aside as a blob of JSON lines and read back.
    All of it is one transaction: what fails half way has changed nothing.
    """
    schemas: list[Schema] = ["app", "pgstac"]
    if isinstance(call.query, FullRebuildQuery) and call.query.include == "geo":
        schemas.append("geo")
    return _rebuild(call, "full-rebuild", schemas)


@resource.route("POST", "dbadmin/maintenance/redeploy", _contract(RebuildQuery))
def rebuild_engine(call: Call[RebuildQuery]) -> Reply:
    """Drop and recreate the schema `app`; the catalogue and the tables stay."""
    return _rebuild(call, "redeploy", ["app"])


@resource.route("POST", "dbadmin/maintenance/pgstac/redeploy", _contract(RebuildQuery))
def rebuild_catalogue(call: Call[RebuildQuery]) -> Reply:
    """Drop and recreate the schema `pgstac`; jobs whose items go with it can be submitted again."""
    return _rebuild(call, "pgstac-redeploy", ["pgstac"])


@resource.route(
    "POST",
    "dbadmin/maintenance/cleanup",
    Contract(query=CleanupQuery, answers={HTTPStatus.OK: CleanedUp}, level=func.AuthLevel.ADMIN),
)
def clean_up_old_rows(call: Call[CleanupQuery]) -> Reply:
    """Remove tasks and events of jobs that ended long ago; jobs, artifacts and audits stay.

    It does what the nightly sweep does, within the same time; what is left then says `actions`.
    """
    parts = app()
    days = call.query.days or parts.settings.engine.retention_days
    retention = timedelta(days=days)
    if call.query.confirm != "yes":
        number = len(parts.mending.prunable(retention, _COUNTED_UP_TO))
        many = "1,000 or more" if number >= _COUNTED_UP_TO else str(number)
        message = f"This would remove tasks and events of {many} revisions that ended {days} days ago."
        raise BadRequest(codes.MAINTENANCE_UNCONFIRMED, message, revisions=number, days=days)
    [run] = parts.pruner(retention).run("prune", call.actor)
    shown = asdict(run) | {"days": days, "removed": run.fixed}
    return Reply(CleanedUp.model_validate(shown))


def _rebuild(call: Call[RebuildQuery], name: str, schemas: Sequence[Schema]) -> Reply:
    maintenance = _maintenance()
    if call.query.confirm != "yes":
        raise _unconfirmed(maintenance, schemas)
    logger.warning("rebuild begins", extra={"operation": name, "actor": call.actor})
    done = maintenance.rebuild(name, schemas, force=call.query.force == "yes")
    return Reply(
        Rebuilt(
            operation=name,
            schemas=list(schemas),
            before=dict(done.before),
            archive=str(done.archive) if done.archive else None,
            kept=dict(done.kept),
            restored=dict(done.restored),
            lost_artifacts=done.lost_artifacts,
            unpublished_jobs=done.unpublished_jobs,
            sessions_ended=done.sessions_ended,
            steps=[RebuildStep.model_validate(step) for step in done.steps],
        )
    )


def _maintenance() -> Maintenance:
    found: Maintenance | None = app().maintenance
    if found is None:
        raise Conflict(codes.MAINTENANCE_NOT_CONFIGURED, "MAINTENANCE_USER names no role.")
    return found


def _unconfirmed(maintenance: Maintenance, schemas: Sequence[Schema]) -> BadRequest:
    counts = maintenance.inventory(schemas)
    told = ", ".join(f"{number} in {table}" for table, number in counts.items()) or "nothing"
    lost = "; ".join(_CONSEQUENCES[schema] for schema in schemas)
    return BadRequest(
        codes.MAINTENANCE_UNCONFIRMED,
        f"This would drop {', '.join(schemas)}: {lost}. Rows: {told}.",
        rows=counts,
    )
