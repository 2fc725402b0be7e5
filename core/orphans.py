"""orphan_detector: whatever has lost what it belongs to is brought back to it, or goes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from core.bells import Bells
from core.declaration import PrefixTemplate
from core.errors import NotFound
from core.ports.blobs import BlobStore
from core.ports.janitor import Mending, ScratchTables, Suspicion
from core.suspects import Suspects
from core.sweeps import Rule, Step

_BATCH = 100
_FOLDERS = 200
_DELETIONS = 500


@dataclass(frozen=True)
class OrphanDetector:
    """Finds jobs without tasks, tasks without jobs, and outputs without either.

    Args:
        suspects: The active jobs.
        mending: The rows of the ended ones.
        bells: For what comes of it.
        blobs: Where intermediates lie.
        templates: Where job types leave them.
        grace: How long what an ended job left is kept.
        tables: Tables that loads fill aside, if this deployment has any.
    """

    suspects: Suspects
    mending: Mending
    bells: Bells
    blobs: BlobStore
    templates: Sequence[PrefixTemplate]
    grace: timedelta
    tables: ScratchTables | None = None

    @property
    def rules(self) -> Sequence[Rule]:
        """Return the rules in order: rows first, then what they own."""
        return (
            self.revive_jobs,
            self.cancel_tasks,
            self.remove_tasks,
            self.release_reservations,
            self.clean_up_again,
            self.delete_blobs,
            self.drop_tables,
        )

    def revive_jobs(self) -> Iterator[Step]:
        """Give jobs that nothing moves a task again, or the end that is due."""
        return self.suspects.mend(Suspicion.IDLE)

    def cancel_tasks(self) -> Iterator[Step]:
        """Cancel open tasks of jobs that have ended, and of former revisions."""
        while True:
            ended = self.mending.cancel_stray_tasks(self.suspects.age, _BATCH)
            self.bells.follow(ended.follow_ups)
            yield Step("cancelled stray tasks", [answer.task_id for answer in ended.answers])
            if len(ended.answers) < _BATCH:
                return

    def remove_tasks(self) -> Iterator[Step]:
        """Remove open tasks without a job."""
        yield Step("removed tasks without a job", self.mending.remove_jobless_tasks(_BATCH))

    def release_reservations(self) -> Iterator[Step]:
        """Release what ended jobs have only reserved, which would keep other jobs from it."""
        released = self.mending.release_reservations(self.suspects.age, _BATCH)
        yield Step("released reservations", released)

    def clean_up_again(self) -> Iterator[Step]:
        """Queue clean-ups again: failed ones, missing ones, those of outputs left half written."""
        retried = self.mending.retry_cleanups(self.suspects.age, self.grace, _BATCH)
        self.bells.follow(retried.follow_ups)
        yield Step("queued clean-ups again", retried.job_ids)

    def delete_blobs(self) -> Iterator[Step]:
        """Delete intermediate blobs whose jobs ended longer than the grace period ago."""
        for template in self.templates:
            folders = self._folders(template)
            while batch := list(islice(folders, _FOLDERS)):
                yield from self._delete_forsaken(template, batch)

    def drop_tables(self) -> Iterator[Step]:
        """Drop tables that loads of ended jobs left aside."""
        if self.tables is not None:
            yield Step("dropped scratch tables", self.tables.drop_forsaken(self.grace, _BATCH))

    def _folders(self, template: PrefixTemplate) -> Iterator[str]:
        """Yield the ids, or beginnings of ids, that have a folder of intermediates."""
        try:
            for folder in self.blobs.list_folders(template.container, template.parent):
                key = template.key_in(folder)
                if key is not None:
                    yield key
        except NotFound:
            return

    def _delete_forsaken(self, template: PrefixTemplate, keys: Sequence[str]) -> Iterator[Step]:
        forsaken = self.mending.forsaken(keys, self.grace)
        yield Step("looked at", scanned=len(keys) - len(forsaken))
        for key, before in forsaken.items():
            more = True
            while more:
                deletion = self.blobs.delete_blobs_by_prefix(
                    template.container, template.of(key), modified_before=before, limit=_DELETIONS
                )
                more = deletion.more and deletion.count > 0
                if deletion.count:
                    place = f"{template.container}/{template.of(key)}"
                    facts = {"prefix": place, "nbytes": deletion.nbytes}
                    yield Step("deleted intermediate blobs", number=deletion.count, facts=facts)
