"""job_health: ledgers agree with tasks, failures reach their jobs, and what is over moves on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.ports.engine import JobRepository
from core.ports.janitor import Suspicion
from core.suspects import Suspects
from core.sweeps import Rule, Step

_CANCEL_BATCH = 500


@dataclass(frozen=True)
class JobHealth:
    """Mends jobs whose rows contradict each other.

    Args:
        suspects: The jobs.
        jobs: For cancelling what a stopping job has queued.
    """

    suspects: Suspects
    jobs: JobRepository

    @property
    def rules(self) -> Sequence[Rule]:
        """Return the rules in order: every later one believes the counters."""
        return self.count_again, self.move_on, self.stop_again

    def count_again(self) -> Iterator[Step]:
        """Set the ledgers by the tasks where they disagree."""
        return self.suspects.mend(Suspicion.COUNTERS)

    def move_on(self) -> Iterator[Step]:
        """Draw the consequence of a stage that is over, or of a task that failed."""
        return self.suspects.mend(Suspicion.UNMOVED)

    def stop_again(self) -> Iterator[Step]:
        """Repeat stops that were interrupted: cancel what is queued, end what runs nothing."""
        for job in self.suspects.each(Suspicion.STOPPING):
            yield from self._cancel(job.job_id, job.revision)
            yield self.suspects.mend_one(job)

    def _cancel(self, job_id: str, revision: int) -> Iterator[Step]:
        key: str | None = ""
        while key is not None:
            key, follow_ups = self.jobs.cancel_queued(job_id, revision, key, _CANCEL_BATCH)
            self.suspects.bells.follow(follow_ups)
            yield Step("looked at", scanned=1)
