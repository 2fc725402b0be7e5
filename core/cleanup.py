"""Cleaning up after a job: what it wrote and did not publish goes."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from core import codes
from core.declaration import PrefixTemplate
from core.errors import NotFound, TransientError
from core.handler import TaskContext
from core.models.claims import ClaimedTask
from core.models.tables import TableName
from core.ports.blobs import BlobProperties, BlobRef, BlobStore, PreconditionFailed, WriteOptions
from core.ports.effects import ArtifactRecord, Effects
from core.ports.engine import JobRepository
from core.publishing import is_former, is_of_revision, is_written_by, parse_location, signature
from core.registry import Registry

logger = logging.getLogger(__name__)

# Blobs carry the store's clock and whole seconds, jobs the database's. A later revision begins when
# this clean-up has ended, or when its lease has, which takes longer.
_SKEW = timedelta(seconds=15)
_DELETIONS = 1_000


@dataclass(frozen=True)
class CleanUp:
    """Runs clean-up tasks.

    It deletes only what the job's revision recorded and did not publish, each blob by the ETag
    that it was written with; where something else is live, nothing is touched.

    Args:
        registry: For the prefixes that a job type declares.
        jobs: For the job's type.
        blobs: The store.
        effects: What was recorded.
        containers: By default name, what this deployment calls its containers.
    """

    registry: Registry
    jobs: JobRepository
    blobs: BlobStore
    effects: Effects
    containers: Mapping[str, str] = field(default_factory=dict)

    def run(self, claim: ClaimedTask, context: TaskContext) -> dict[str, int]:
        """Remove intermediates and unpublished outputs; return how many of each kind went, and bytes."""
        removed = nbytes = tables = 0
        records = [
            each for each in self.effects.artifacts(claim.job_id, claim.revision) if each.state == "writing"
        ]
        # Published places first: what was live there comes back from copies that are intermediates.
        for record in sorted(records, key=lambda each: each.role != "published"):
            context.check()
            if record.kind == "table":
                tables += self._drop(claim, record)
            elif record.kind == "blob":
                gone = self._remove(claim, record, records)
                removed += gone
                nbytes += gone and (record.nbytes or 0)
        swept = self._sweep_prefixes(claim, context)
        return {"blobs": removed + swept[0], "nbytes": nbytes + swept[1], "tables": tables}

    def _drop(self, claim: ClaimedTask, record: ArtifactRecord) -> int:
        # A published table is what it is by the transaction that publishes it, and never half there.
        dropped = False
        if record.role == "intermediate":
            with self.effects.transaction(claim) as transaction:
                dropped = transaction.tables.drop(TableName.parse(record.location))
        self.effects.close_artifact(claim, record, "deleted" if dropped else "released")
        return int(dropped)

    def _remove(self, claim: ClaimedTask, record: ArtifactRecord, beside: Sequence[ArtifactRecord]) -> int:
        live = self.effects.live_artifact("blob", record.location) if record.role == "published" else None
        if live is not None:
            # Published before this revision: what stands there is the good result of another run.
            former = next((kept for kept in beside if is_former(kept, record.location)), None)
            self._correct_live(claim, record, live, former)
            self.effects.close_artifact(claim, record, "released")
            return 0
        deleted = self._delete(claim, record)
        self.effects.close_artifact(claim, record, "deleted")
        return deleted

    def _correct_live(
        self,
        claim: ClaimedTask,
        record: ArtifactRecord,
        live: ArtifactRecord,
        former: ArtifactRecord | None,
    ) -> None:
        """Put back what was live where this revision wrote and ended before it could publish.

        Also where nothing new is to be seen yet: a writer that has lost its claim may be about to
        write, on the condition that the place is as it was, and then it no longer is. A record that
        disagreed with the place would keep it from ever being unpublished.
        """
        try:
            found = self.blobs.properties(parse_location(record.location))
        except NotFound:
            return
        if found.etag == live.etag:
            if former is None or record.etag is not None:
                return
        elif not is_written_by(found, record.job_id, record.revision):
            return
        there = found if former is None else self._copy_back(claim, parse_location(former.location), found)
        self.effects.correct_live(claim, live, there.etag, there.nbytes)

    def _copy_back(self, claim: ClaimedTask, kept: BlobRef, over: BlobProperties) -> BlobProperties:
        former = self.blobs.properties(kept)
        metadata = {**former.metadata, **signature(claim)}
        options = replace(WriteOptions.like(former), metadata=metadata, if_match=over.etag)
        try:
            return self.blobs.copy(kept, over.ref, options)
        except PreconditionFailed as error:
            raise TransientError(codes.ARTIFACT_CONFLICT, f"{over.ref} was written just now.") from error

    def _delete(self, claim: ClaimedTask, record: ArtifactRecord) -> int:
        ref = parse_location(record.location)
        try:
            if record.etag is None:
                # Never recorded, so perhaps never committed: an empty commit discards what is
                # staged, and a late commit of the dead writer then fails.
                self.blobs.delete(ref, if_match=self.blobs.commit_empty(ref, signature(claim)))
                return 0
            return int(self.blobs.delete(ref, if_match=record.etag))
        except PreconditionFailed:
            return self._delete_if_of(record)
        except NotFound:
            return 0

    def _delete_if_of(self, record: ArtifactRecord) -> int:
        """Delete what an unrecorded write of the revision left; a later one's is not ours to touch."""
        ref = parse_location(record.location)
        found = self.blobs.properties(ref)
        if not is_of_revision(found, record.job_id, record.revision):
            logger.warning("blob left alone", extra={"blob": record.location, "etag": found.etag})
            return 0
        return int(self.blobs.delete(ref, if_match=found.etag))

    def _sweep_prefixes(self, claim: ClaimedTask, context: TaskContext) -> tuple[int, int]:
        record = self.jobs.get(claim.job_id)
        job = self.registry.job(claim.job_type)
        if record is None or record.completed_at is None or record.revision != claim.revision:
            # A later revision is at work: what lies there is its own to clean up.
            return 0, 0
        count = nbytes = 0
        for template in resolved(job.intermediate_blobs, self.containers):
            before = self._limit(template, record.job_id, record.completed_at)
            more = before is not None
            while more:
                context.check()
                deletion = self.blobs.delete_blobs_by_prefix(
                    template.container, template.of(record.job_id), modified_before=before, limit=_DELETIONS
                )
                count += deletion.count
                nbytes += deletion.nbytes
                more = deletion.more and deletion.count > 0
        return count, nbytes

    def _limit(self, template: PrefixTemplate, job_id: str, ended_at: datetime) -> datetime | None:
        """Return the instant before which everything under the prefix is the job's; None: nothing is sure.

        Where ids that share their beginning share a prefix, a live job keeps all of it, and its own
        clean-up, or the orphan detector, removes what this job left.
        """
        sharing = self.jobs.with_prefix(template.key(job_id))
        if any(ended is None for other, ended in sharing.items() if other != job_id):
            return None
        return ended_at if len(sharing) > 1 else ended_at + _SKEW


def resolved(templates: Iterable[PrefixTemplate], containers: Mapping[str, str]) -> Sequence[PrefixTemplate]:
    """Return templates with the containers that this deployment keeps under their default names."""
    return [replace(each, container=containers.get(each.container, each.container)) for each in templates]
