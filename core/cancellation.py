"""Cancelling a job, for whoever asks."""

from dataclasses import dataclass

from core.bells import Bells
from core.json import JsonObject
from core.ports.engine import JobRepository
from core.states import JobStatus


@dataclass(frozen=True)
class Cancellation:
    """Stops jobs at the wish of a person.

    Args:
        jobs: Where the wish is recorded.
        bells: For what comes of it.
    """

    jobs: JobRepository
    bells: Bells

    def cancel(self, job_id: str, error: JsonObject, by: str) -> str:
        """Ask a job to end as cancelled; return the answer of `JobRepository.stop`.

        Raises:
            TransientError: The database does not answer; the wish can be repeated.
        """
        stopped = self.jobs.stop(job_id, JobStatus.CANCELLED, error, by)
        self.bells.follow(stopped.follow_ups)
        if stopped.answer in ("already", "ended"):
            # Perhaps an earlier call did it and its answer was lost, and with it the bell to ring.
            self.bells.ring("light")
        return stopped.answer
