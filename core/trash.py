"""What was taken back and can be restored for a while: after that it is deleted for good."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import NotFound
from core.models.unpublished import UnpublishedJob
from core.ports.blobs import BlobStore, PreconditionFailed
from core.ports.unpublishing import Unpublishing
from core.publishing import parse_location
from core.sweeps import Rule, Step

_RECORDS = 50


@dataclass(frozen=True)
class Trash:
    """Empties the trash of what is past its grace.

    Args:
        unpublishing: The audit, which knows what lies there and until when.
        blobs: The store.
    """

    unpublishing: Unpublishing
    blobs: BlobStore

    @property
    def rules(self) -> Sequence[Rule]:
        """Return the rules."""
        return (self.empty,)

    def empty(self) -> Iterator[Step]:
        """Delete blobs and tables of records whose grace is over; a record is done when both are gone."""
        while records := self.unpublishing.overdue(_RECORDS):
            for record in records:
                nbytes = sum(map(self._delete, self._kept(record)))
                self.unpublishing.purge(record)
                yield Step("deleted for good", items=[record.id], facts={"nbytes": nbytes})

    def _kept(self, record: UnpublishedJob) -> Sequence[str]:
        return [blob.moved_to for blob in record.blobs if blob.moved_to is not None]

    def _delete(self, location: str) -> int:
        """Delete a copy by the ETag that it has, and return its size."""
        ref = parse_location(location)
        try:
            found = self.blobs.properties(ref)
            self.blobs.delete(ref, if_match=found.etag)
        except (NotFound, PreconditionFailed):
            return 0
        return found.nbytes
