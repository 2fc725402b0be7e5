"""prune: what nobody will ask for again goes, in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from core.ports.janitor import Mending, SweepRuns
from core.sweeps import Rule, Step

_JOBS = 100
_ROWS = 1_000


@dataclass(frozen=True)
class Prune:
    """Removes tasks and events of jobs that ended long ago; jobs, artifacts and audits stay.

    Args:
        mending: The rows of ended jobs.
        runs: The janitor's own records.
        retention: How long all of it is kept.
    """

    mending: Mending
    runs: SweepRuns
    retention: timedelta

    @property
    def rules(self) -> Sequence[Rule]:
        """Return the rules."""
        return self.prune_jobs, self.prune_runs

    def prune_jobs(self) -> Iterator[Step]:
        """Remove tasks and events of ended revisions."""
        removed, page = 1, _JOBS
        while removed and page == _JOBS:
            revisions = self.mending.prunable(self.retention, _JOBS)
            removed, page = 0, len(revisions)
            for revision in revisions:
                for step in self._prune(revision.job_id, revision.revision):
                    removed += step.fixed
                    yield step

    def prune_runs(self) -> Iterator[Step]:
        """Remove old records of sweeps."""
        while number := self.runs.prune(self.retention, _ROWS):
            yield Step("removed records of sweeps", number=number)

    def _prune(self, job_id: str, revision: int) -> Iterator[Step]:
        number = _ROWS
        while number == _ROWS:
            number = self.mending.prune(job_id, revision, _ROWS)
            yield Step("removed tasks and events", number=number)
