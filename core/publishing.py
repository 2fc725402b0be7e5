"""Blobs under the fence: intent before effect, one owner, and the same end however often it runs."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from core import codes
from core.declaration import PrefixTemplate
from core.errors import Conflict, NotFound
from core.handler import PublishedBlob
from core.models.claims import ClaimedTask
from core.ports.blobs import BlobProperties, BlobRef, BlobStore, PreconditionFailed, WriteOptions
from core.ports.effects import Artifact, ArtifactRecord, Effects, WriteIntent

# No container can have this name, so no blob that is laid aside lies there.
_FORMER = "_former"

_JOB, _REVISION, _TASK, _FENCE = "terrane_job", "terrane_revision", "terrane_task", "terrane_fence"

Write = Callable[[BlobRef, WriteOptions], BlobProperties]


@dataclass(frozen=True)
class BlobPublisher:
    """Writes the blobs of one claim.

    Args:
        task: The claim.
        blobs: The store.
        effects: Where intents and what came of them are recorded.
        temp_container: Where a blob is laid aside whose place is taken until the job publishes.
    """

    task: ClaimedTask
    blobs: BlobStore
    effects: Effects
    temp_container: str

    def publish(
        self, ref: BlobRef, options: WriteOptions, checksum: str | None, write: Write
    ) -> PublishedBlob:
        """Write a published blob, or lay it aside where one is live already.

        Raises:
            Conflict: The place belongs to another job, or something else wrote there.
            FenceLost: The claim is no longer held.
        """
        intent = self.begin(Artifact("blob", str(ref), "published"))
        if intent.live_etag is None:
            artifact = Artifact("blob", str(ref), "published")
            written = self._write(artifact, ref, _conditioned(intent, options), write)
        else:
            aside = self._aside(ref)
            artifact = Artifact("blob", str(aside), "intermediate", target=str(ref))
            intent = self.begin(artifact)
            written = self._write(artifact, aside, _conditioned(intent, options), write)
        self.effects.record_artifact(self.task, artifact, written.etag, written.nbytes, checksum)
        return PublishedBlob(ref, written.nbytes, written.etag, self.blobs.url(ref))

    def stage(self, ref: BlobRef, write: Write) -> None:
        """Write an intermediate blob, which is removed when the job has ended.

        Raises:
            Conflict: Something else wrote there.
            FenceLost: The claim is no longer held.
        """
        artifact = Artifact("blob", str(ref), "intermediate")
        intent = self.begin(artifact)
        written = self._write(artifact, ref, _conditioned(intent, WriteOptions()), write)
        self.effects.record_artifact(self.task, artifact, written.etag, written.nbytes, None)

    def put_in_place(self) -> None:
        """Copy what was laid aside over what is live, just before it is published.

        What is live is kept until the job has ended, for a job that fails has to put it back.
        """
        for record in self.effects.artifacts(self.task.job_id, self.task.revision):
            if record.target is not None and record.state == "writing":
                self._replace_live(record, record.target)

    def _replace_live(self, aside: ArtifactRecord, target: str) -> None:
        source, ref = parse_location(aside.location), parse_location(target)
        live = self.effects.live_artifact("blob", target)
        if live is not None:
            self._keep_former(ref, live)
        options = replace(
            WriteOptions.like(self.blobs.properties(source)),
            if_match=live.etag if live else None,
            if_absent=live is None,
        )
        artifact = Artifact("blob", target, "published")
        written = self._write(artifact, ref, options, lambda to, how: self.blobs.copy(source, to, how))
        self.effects.record_artifact(self.task, artifact, written.etag, written.nbytes, aside.checksum)

    def _keep_former(self, ref: BlobRef, live: ArtifactRecord) -> None:
        """Copy what is live, and record the copy; nobody writes over the place before that.

        So whoever finds the copy recorded does not make it again: by then the place may hold
        something new, written by a claim that died or has lost its fence.
        """
        kept = BlobRef(self.temp_container, f"{self._folder()}{_FORMER}/{ref}")
        artifact = Artifact("blob", str(kept), "intermediate")
        intent = self.begin(artifact)
        if intent.etag is not None:
            return
        try:
            found = self.blobs.properties(ref)
        except NotFound:
            return
        if live.etag not in (None, found.etag):
            # Something else wrote here: it is not what the catalogue names.
            return
        options = replace(WriteOptions.like(found), if_absent=True)
        written = self._write(artifact, kept, options, lambda to, how: self.blobs.copy(ref, to, how))
        self.effects.record_artifact(self.task, artifact, written.etag, written.nbytes, live.checksum)

    def begin(self, artifact: Artifact) -> WriteIntent:
        """Declare that the claim is about to write a place.

        Raises:
            Conflict: Another job writes there.
        """
        intent = self.effects.begin_artifact(self.task, artifact)
        if intent.owner is not None:
            raise Conflict(
                codes.ARTIFACT_OWNED,
                f"{artifact.location} is being written by job {intent.owner}.",
                job_id=intent.owner,
            )
        return intent

    def _write(self, artifact: Artifact, ref: BlobRef, options: WriteOptions, write: Write) -> BlobProperties:
        options = replace(
            options,
            metadata={**options.metadata, **signature(self.task)},
            block_prefix=f"{self.task.task_id}{self.task.fence:08d}",
        )
        try:
            return write(ref, options)
        except PreconditionFailed as error:
            # Either an earlier claim committed and died before it could record its ETag, or something
            # that is not ours stands here.
            adopted = self._adopt(artifact, ref)
            try:
                return write(ref, replace(options, if_match=adopted, if_absent=adopted is None))
            except PreconditionFailed:
                raise _conflict(artifact) from error

    def _adopt(self, artifact: Artifact, ref: BlobRef) -> str | None:
        try:
            found = self.blobs.properties(ref)
        except NotFound:
            return None
        if not self._is_left_over(found):
            raise _conflict(artifact)
        # Only who still has the claim on the place may say so: a writer that lost it long ago would
        # take another job's good result for something left over.
        self.begin(artifact)
        return found.etag

    def _is_left_over(self, found: BlobProperties) -> bool:
        """Return whether a blob was written by a claim that cannot be at work any more.

        The claimant of a place is the only one that may write there. So whatever else a job of
        ours wrote there, it did before, or it had lost its claim.
        """
        written_by = found.metadata
        if _JOB not in written_by:
            return False
        if written_by[_JOB] != self.task.job_id:
            return True
        same = (str(self.task.revision), self.task.task_id) == (written_by[_REVISION], written_by[_TASK])
        if same and int(written_by[_FENCE]) > self.task.fence:
            return False
        return is_of_revision(found, self.task.job_id, self.task.revision)

    def _aside(self, ref: BlobRef) -> BlobRef:
        return BlobRef(self.temp_container, f"{self._folder()}{ref}")

    def _folder(self) -> str:
        return f"{asides(self.temp_container).of(self.task.job_id)}{self.task.revision}/"


def asides(temp_container: str) -> PrefixTemplate:
    """Return where jobs lay blobs aside."""
    return PrefixTemplate(temp_container, "temp/publish/{job_id}/")


def is_former(kept: ArtifactRecord, location: str) -> bool:
    """Return whether an artifact is a whole copy of what was live in a place before it was replaced."""
    return kept.etag is not None and kept.location.endswith(f"/{_FORMER}/{location}")


def is_of_revision(found: BlobProperties, job_id: str, revision: int) -> bool:
    """Return whether a blob was written by this revision of a job, or by an earlier one."""
    written_by = found.metadata
    return written_by.get(_JOB) == job_id and int(written_by.get(_REVISION, "0")) <= revision


def is_written_by(found: BlobProperties, job_id: str, revision: int) -> bool:
    """Return whether a blob was written by this very revision of a job."""
    return (found.metadata.get(_JOB), found.metadata.get(_REVISION)) == (job_id, str(revision))


def signature(task: ClaimedTask) -> dict[str, str]:
    """Return the metadata by which a blob tells which claim wrote it."""
    return {
        _JOB: task.job_id,
        _REVISION: str(task.revision),
        _TASK: task.task_id,
        _FENCE: str(task.fence),
    }


def _conditioned(intent: WriteIntent, options: WriteOptions) -> WriteOptions:
    return replace(options, if_match=intent.etag, if_absent=intent.etag is None)


def parse_location(location: str) -> BlobRef:
    """Return the blob that a recorded location names."""
    container, _, name = location.partition("/")
    return BlobRef(container, name)


def _conflict(artifact: Artifact) -> Conflict:
    return Conflict(
        codes.ARTIFACT_CONFLICT, f"{artifact.location} was written by something other than this job."
    )
