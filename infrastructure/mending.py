"""What the janitor's rules ask and do, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from core.models.claims import Ended
from core.models.janitor import Mended, Retried, SilentTask, Suspect
from core.ports.effects import ArtifactRecord
from core.ports.janitor import Range, Suspicion
from infrastructure import rows
from infrastructure.database import Database
from infrastructure.sql import load

_QUERIES = load("mending")


class PostgresMending:
    """`core.ports.janitor.Mending` on the functions of migration 0011.

    Args:
        database: The app database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def suspects(self, why: Suspicion, age: timedelta, among: Range, limit: int) -> Sequence[Suspect]:
        """Look at the next jobs by id."""
        parameters = {"age": age, "limit": limit} | asdict(among)
        found = self._database.fetch_all(_QUERIES[f"suspect_{why}"], parameters)
        return [rows.pick(Suspect, row) for row in found]

    def mend(self, job_id: str, revision: int) -> Mended:
        """Do for an active job what was left undone."""
        row = self._database.fetch_one(_QUERIES["mend"], {"job_id": job_id, "revision": revision})
        return Mended(row["action"], rows.follow_ups(row["follow_ups"])) if row else Mended()

    def cancel_stray_tasks(self, age: timedelta, limit: int) -> Ended:
        """Cancel open tasks of ended jobs and of former revisions."""
        return rows.ended(
            self._database.fetch_one(_QUERIES["cancel_stray_tasks"], {"age": age, "limit": limit})
        )

    def remove_jobless_tasks(self, limit: int) -> Sequence[str]:
        """Delete open tasks without a job."""
        found = self._database.fetch_all(_QUERIES["remove_jobless_tasks"], {"limit": limit})
        return [row["task_id"] for row in found]

    def retry_cleanups(self, age: timedelta, grace: timedelta, limit: int) -> Retried:
        """Queue clean-ups again that are due."""
        parameters = {"age": age, "grace": grace, "limit": limit}
        row = self._database.fetch_one(_QUERIES["retry_cleanups"], parameters)
        return Retried(row["job_ids"], rows.follow_ups(row["follow_ups"])) if row else Retried()

    def release_reservations(self, age: timedelta, limit: int) -> Sequence[str]:
        """Release what ended jobs have only reserved."""
        found = self._database.fetch_all(_QUERIES["release_reservations"], {"age": age, "limit": limit})
        return [row["location"] for row in found]

    def forsaken(self, keys: Sequence[str], grace: timedelta) -> Mapping[str, datetime]:
        """Return the ids, or beginnings of ids, whose jobs all ended long enough ago."""
        found = self._database.fetch_all(_QUERIES["forsaken"], {"keys": list(keys), "grace": grace})
        return {row["key"]: row["before"] for row in found}

    def outdated_blobs(self, prefix: str, age: timedelta, limit: int) -> Sequence[ArtifactRecord]:
        """Return live blobs below a location that were published long ago."""
        parameters = {"prefix": prefix, "age": age, "limit": limit}
        found = self._database.fetch_all(_QUERIES["outdated_blobs"], parameters)
        return [rows.pick(ArtifactRecord, row) for row in found]

    def forget_blobs(self, locations: Sequence[str]) -> None:
        """Say of live blobs that they are deleted."""
        self._database.execute(_QUERIES["forget_blobs"], {"locations": list(locations)})

    def prunable(self, age: timedelta, limit: int) -> Sequence[Suspect]:
        """Return revisions that ended long ago and still have rows."""
        found = self._database.fetch_all(_QUERIES["prunable"], {"age": age, "limit": limit})
        return [rows.pick(Suspect, row) for row in found]

    def prune(self, job_id: str, revision: int, limit: int) -> int:
        """Remove tasks and events of an ended revision."""
        parameters = {"job_id": job_id, "revision": revision, "limit": limit}
        row = self._database.fetch_one(_QUERIES["prune"], parameters)
        return int(row["removed"]) if row else 0

    def silent_tasks(
        self, silence: timedelta, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[SilentTask]:
        """Return tasks in work that nobody has beaten for."""
        beat, task_id = after or (None, None)
        parameters = {"silence": silence, "limit": limit, "after_beat": beat, "after_id": task_id}
        found = self._database.fetch_all(_QUERIES["silent_tasks"], parameters)
        return [rows.pick(SilentTask, row) for row in found]
