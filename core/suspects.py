"""Looking through jobs that may be broken, and mending each by itself."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from core.bells import Bells
from core.errors import TransientError
from core.models.janitor import Suspect
from core.ports.clock import Chance
from core.ports.janitor import Mending, Range, Suspicion
from core.sweeps import Step

logger = logging.getLogger(__name__)

_PAGE = 20


@dataclass(frozen=True)
class Suspects:
    """Goes through the active jobs by id, from a place that chance names, once around.

    So runs that end with their budget begin elsewhere each time, and what cannot be mended keeps
    nobody else from being reached.

    Args:
        mending: The rows.
        bells: For what comes of it.
        chance: Where to begin.
        age: How long a state must have lasted that should not last.
    """

    mending: Mending
    bells: Bells
    chance: Chance
    age: timedelta

    def each(self, why: Suspicion) -> Iterator[Suspect]:
        """Yield every active job that is looked at for this, page by page."""
        start = self.chance.token()
        for among in (Range(start, ""), Range("", start)):
            yield from self._pages(why, among)

    def mend(self, why: Suspicion) -> Iterator[Step]:
        """Mend every job that is suspected of this and not sound."""
        for suspect in self.each(why):
            yield Step("looked at", scanned=1) if suspect.sound else self.mend_one(suspect)

    def mend_one(self, suspect: Suspect) -> Step:
        """Mend a job; what goes wrong with it is its own, and recorded."""
        job_id = suspect.job_id
        try:
            mended = self.mending.mend(job_id, suspect.revision)
            self.bells.follow(mended.follow_ups)
        except TransientError:
            raise
        except Exception as error:
            # The edge of one job: its rows may be broken in ways that no rule foresees.
            logger.exception("job not mended", extra={"job_id": job_id})
            return Step("could not mend", scanned=1, facts={"job_id": job_id, "error": str(error)[:500]})
        return Step(mended.action, [job_id]) if mended.action else Step("looked at", scanned=1)

    def _pages(self, why: Suspicion, among: Range) -> Iterator[Suspect]:
        while True:
            page = self.mending.suspects(why, self.age, among, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            among = Range(page[-1].job_id, among.upto)
