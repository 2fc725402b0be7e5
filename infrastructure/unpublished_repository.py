"""The audit of what was taken back, and the rows by which a run takes it, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from core import codes
from core.errors import Conflict
from core.models.claims import ClaimedTask
from core.models.tables import TableName
from core.models.unpublished import Claimed, Owner, Removal, UnpublishedJob, Withdrawal
from core.ports.unpublishing import UnpublishedFilter
from infrastructure import rows
from infrastructure.database import Connection, Database
from infrastructure.sql import load
from infrastructure.vector_store import PostgisVectorTransaction

_QUERIES = load("unpublished")


class PostgresUnpublishing:
    """`core.ports.unpublishing.Unpublishing` on ``app.unpublished_jobs`` and ``app.artifacts``.

    Args:
        database: The app database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, audit_id: str) -> UnpublishedJob | None:
        """Return an audit record."""
        row = self._database.fetch_one(_QUERIES["get_unpublished"], {"id": audit_id})
        return rows.pick(UnpublishedJob, row) if row else None

    def list_unpublished(
        self, where: UnpublishedFilter, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[UnpublishedJob]:
        """Return audit records, newest first."""
        moment, before_id = before or (None, None)
        parameters = asdict(where) | {"limit": limit, "before": moment, "before_id": before_id}
        found = self._database.fetch_all(_QUERIES["list_unpublished"], parameters)
        return [rows.pick(UnpublishedJob, row) for row in found]

    def owners(self, kind: str, locations: Sequence[str]) -> Mapping[str, Owner]:
        """Return the owners of live artifacts, by location."""
        parameters = {"kind": kind, "locations": list(locations)}
        found = self._database.fetch_all(_QUERIES["owners"], parameters)
        return {row["location"]: rows.pick(Owner, row) for row in found}

    def published_by(self, job_id: str, kind: str) -> Sequence[str]:
        """Return the places of a job's live artifacts."""
        found = self._database.fetch_all(_QUERIES["published_by"], {"job_id": job_id, "kind": kind})
        return [row["location"] for row in found]

    def removals(self, job_id: str, revision: int, first: int, last: int) -> Sequence[Removal]:
        """Return a run's removals by their numbers."""
        parameters = {"job_id": job_id, "revision": revision, "first": first, "last": last}
        found = self._database.fetch_all(_QUERIES["list_removals"], parameters)
        return [rows.pick(Removal, row) for row in found]

    def overdue(self, limit: int) -> Sequence[UnpublishedJob]:
        """Return records whose trash is to be emptied."""
        found = self._database.fetch_all(_QUERIES["overdue_unpublished"], {"limit": limit})
        return [rows.pick(UnpublishedJob, row) for row in found]

    def purge(self, record: UnpublishedJob) -> None:
        """Drop a record's tables, views first, and record it, in one transaction."""
        with self._database.transaction() as connection:
            if connection.execute(_QUERIES["mark_purged"], {"id": record.id}).fetchone() is None:
                return
            connection.execute(_QUERIES["forget_trash"], {"id": record.id})
            tables = PostgisVectorTransaction(connection)
            for table in record.tables:
                if table.moved_to is not None and table.rows is not None:
                    # With its views, which were moved beside it.
                    tables.drop(TableName.parse(table.moved_to), cascade=True)


class PostgresUnpublishingTransaction:
    """`core.ports.unpublishing.UnpublishingTransaction` on an open transaction.

    Args:
        connection: In a transaction that the caller ends.
        task: The claim that it belongs to.
    """

    def __init__(self, connection: Connection, task: ClaimedTask) -> None:
        self._connection = connection
        self._task = task

    def reserve(self, removals: Sequence[Removal]) -> Sequence[Removal] | Claimed:
        """Keep everybody else from writing what is to go."""
        parameters = {
            "task_id": self._task.task_id,
            "removals": Jsonb([asdict(removal) for removal in removals]),
        }
        row = self._one("reserve_removals", parameters)
        if row["owner"] is not None:
            return Claimed(row["location"], row["owner"])
        return [
            replace(removal, number=number) for removal, number in zip(removals, row["numbers"], strict=True)
        ]

    def withdraw(self, withdrawals: Sequence[Withdrawal]) -> None:
        """Record the removals and let go of what was reserved."""
        run = {"job_id": self._task.job_id, "revision": self._task.revision}
        self._connection.execute(_QUERIES["withdraw_removals"], run)
        for withdrawal in withdrawals:
            content = {name: value for name, value in asdict(withdrawal).items() if name != "grace"}
            parameters = run | {"withdrawal": Jsonb(content), "grace": withdrawal.grace}
            self._connection.execute(_QUERIES["record_unpublished"], parameters)

    def restore(self, record: UnpublishedJob) -> None:
        """Give what a record removed back."""
        parameters = {"id": record.id, "job_id": self._task.job_id, "revision": self._task.revision}
        if not self._one("restore_unpublished", parameters)["restored"]:
            raise Conflict(
                codes.UNPUBLISH_NOT_RESTORABLE, f"{record.id} was restored or deleted for good meanwhile."
            )

    def _one(self, name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._connection.execute(_QUERIES[name], parameters).fetchone() or {}
