"""Reports that jobs leave in the temp container, for whoever reads them in time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from core.errors import NotFound
from core.ports.blobs import BlobStore, PreconditionFailed
from core.ports.effects import ArtifactRecord
from core.ports.janitor import Mending
from core.publishing import parse_location
from core.sweeps import Rule, Step

#: Where audits leave what they found.
AUDITS: Final = "audits/"

_REPORTS = 100


@dataclass(frozen=True)
class Reports:
    """Removes reports that are as old as the tasks and events of their jobs, which go then.

    Args:
        mending: What jobs have published.
        blobs: The store.
        temp_container: Where reports lie.
        retention: How long they are kept.
    """

    mending: Mending
    blobs: BlobStore
    temp_container: str
    retention: timedelta

    @property
    def rules(self) -> Sequence[Rule]:
        """Return the rules."""
        return (self.prune_audits,)

    def prune_audits(self) -> Iterator[Step]:
        """Delete what audits reported long ago; a report is forgotten when its blob is gone."""
        prefix = f"{self.temp_container}/{AUDITS}"
        while old := self.mending.outdated_blobs(prefix, self.retention, _REPORTS):
            for report in old:
                self._delete(report)
            self.mending.forget_blobs([report.location for report in old])
            yield Step("removed reports of audits", [report.location for report in old])

    def _delete(self, report: ArtifactRecord) -> None:
        try:
            self.blobs.delete(parse_location(report.location), if_match=report.etag)
        except (NotFound, PreconditionFailed):
            # It is not there, or not what the job wrote.
            return
