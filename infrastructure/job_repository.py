"""Jobs in PostgreSQL."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from core.declaration import ROW_VERSION, Stage
from core.json import JsonObject
from core.models.claims import FollowUp, StopAnswer
from core.models.records import EventRecord, JobRecord, ViolationRecord
from core.models.submissions import NewJob, SubmitAnswer
from core.ports.engine import JobFilter
from infrastructure import rows
from infrastructure.database import Database
from infrastructure.sql import load

_QUERIES = load("jobs")
_OWNED = "TR004"


class PostgresJobRepository:
    """`core.ports.engine.JobRepository` on the functions of the migrations.

    Args:
        database: The app database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(self, job: NewJob) -> SubmitAnswer:
        """Record a submission in one transaction; an owned location undoes it."""
        parameters = {
            "job": Jsonb(_job_row(job)),
            "stages": Jsonb([_stage_row(stage) for stage in job.stages]),
            "reservations": Jsonb([{"kind": r.kind, "location": r.name} for r in job.reservations]),
            "replace": job.replace,
            "rerun": job.rerun,
            "seen_revision": job.seen_revision,
        }
        try:
            row = self._database.fetch_one(_QUERIES["submit"], parameters)
        except psycopg.DatabaseError as error:
            if error.sqlstate != _OWNED:
                raise
            owner, location = json.loads(error.diag.message_detail or "[null, null]")
            return SubmitAnswer("owned", owner=owner, location=location)
        return rows.pick(SubmitAnswer, row or {})

    def get(self, job_id: str) -> JobRecord | None:
        """Return a job and the stages of its present revision."""
        row = self._database.fetch_one(_QUERIES["get_job"], {"job_id": job_id})
        if row is None:
            return None
        stages = self._database.fetch_all(
            _QUERIES["get_stages"], {"job_id": job_id, "revision": row["revision"]}
        )
        return rows.job(row, stages)

    def statuses(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Return the status of each known job."""
        found = self._database.fetch_all(_QUERIES["statuses"], {"job_ids": list(job_ids)})
        return {row["job_id"]: row["status"] for row in found}

    def with_prefix(self, prefix: str) -> Mapping[str, datetime | None]:
        """Return the jobs whose ids begin with `prefix`, and when each has ended."""
        found = self._database.fetch_all(_QUERIES["with_prefix"], {"prefix": prefix})
        return {row["job_id"]: row["completed_at"] for row in found}

    def list_jobs(
        self, where: JobFilter, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[JobRecord]:
        """Return jobs without their stages, newest first."""
        created, job_id = before or (None, None)
        parameters = asdict(where) | {"limit": limit, "before_created": created, "before_id": job_id}
        return [rows.job(row) for row in self._database.fetch_all(_QUERIES["list_jobs"], parameters)]

    def events(self, job_id: str, limit: int, after: int) -> Sequence[EventRecord]:
        """Return events in order."""
        parameters = {"job_id": job_id, "limit": limit, "after": after}
        found = self._database.fetch_all(_QUERIES["events"], parameters)
        return [rows.pick(EventRecord, row) for row in found]

    def stop(self, job_id: str, to: str, error: JsonObject, by: str) -> StopAnswer:
        """Ask a job to end early."""
        parameters = {"job_id": job_id, "to": to, "error": Jsonb(error), "by": by}
        row = self._database.fetch_one(_QUERIES["stop"], parameters)
        if row is None or row["answer"] is None:
            return StopAnswer("unknown")
        return StopAnswer(row["answer"], rows.follow_ups(row["follow_ups"]))

    def cancel_queued(
        self, job_id: str, revision: int, after_key: str, limit: int
    ) -> tuple[str | None, Sequence[FollowUp]]:
        """Cancel a batch of queued tasks of a stopping job."""
        parameters = {"job_id": job_id, "revision": revision, "after_key": after_key, "limit": limit}
        row = self._database.fetch_one(_QUERIES["cancel_queued"], parameters)
        return (row["last_key"], rows.follow_ups(row["follow_ups"])) if row else (None, ())

    def violations(self, limit: int) -> Sequence[ViolationRecord]:
        """Return rows of ``app.violations``."""
        found = self._database.fetch_all(_QUERIES["violations"], {"limit": limit})
        return [rows.pick(ViolationRecord, row) for row in found]

    def count_active(self, limit: int) -> int:
        """Return how many jobs have not ended."""
        row = self._database.fetch_one(_QUERIES["count_active"], {"limit": limit})
        return row["jobs"] if row else 0

    def count_violations(self) -> int:
        """Return how many there are."""
        row = self._database.fetch_one(_QUERIES["count_violations"])
        return int(row["violations"]) if row else 0

    def ping(self) -> str:
        """Return the server's version if it answers."""
        row = self._database.fetch_one(_QUERIES["ping"])
        return f"PostgreSQL {row['version']}" if row else "PostgreSQL"


def _job_row(job: NewJob) -> JsonObject:
    return {
        "job_id": job.job_id,
        "job_type": job.job_type,
        "priority": job.priority,
        "identity": job.identity,
        "row_version": ROW_VERSION,
        "parameters": job.parameters,
        "has_intermediates": job.has_intermediates,
        "sources": job.sources,
        "requested_by": job.requested_by,
        "traceparent": job.traceparent,
    }


def _stage_row(stage: Stage) -> JsonObject:
    return {
        "name": stage.name,
        "task_type": stage.task_type,
        "parallelism": stage.parallelism,
        "on_task_failure": stage.on_task_failure,
    }
