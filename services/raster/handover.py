"""What one stage of a raster job hands to the next."""

from pydantic import AwareDatetime, BaseModel

from core.json import JsonObject
from core.ports.blobs import BlobRef
from services.findings import Finding
from services.raster.models import CogDescription, CogWritten, RasterReport
from services.raster.tiers import OutputTier


class RasterSource(BaseModel):
    """A source as it was when the job first looked; a changed one is refused later.

    Args:
        sidecars: Blobs in the same container that belong to it.
    """

    container: str
    name: str
    sidecars: list[str] = []
    etag: str | None = None
    nbytes: int | None = None
    last_modified: AwareDatetime | None = None

    @property
    def ref(self) -> BlobRef:
        """Return the source's place."""
        return BlobRef(self.container, self.name)


class PublishedCog(BaseModel):
    """A COG in its place."""

    container: str
    name: str
    url: str
    nbytes: int
    checksum: str
    written: CogWritten | None
    description: CogDescription


class PublishedFile(BaseModel):
    """A further file in its place."""

    url: str
    nbytes: int
    checksum: str


class ValidatedRaster(BaseModel):
    """Result of ``validate_raster``."""

    source: RasterSource
    sidecars: list[str]
    report: RasterReport
    findings: list[Finding]


class StepTaken(BaseModel):
    """Which task did a step, and when it was done."""

    task_id: str
    completed_at: AwareDatetime


class WrittenRaster(BaseModel):
    """Result of ``create_cog``; the data asset's tier comes first.

    Args:
        source_checksum: Multihash of the source.
        sensor: Properties that its tags tell, see `services.sensor_metadata`.
    """

    source: RasterSource
    raster_type: str
    cogs: dict[OutputTier, PublishedCog]
    thumbnail: PublishedFile
    findings: list[Finding]
    source_checksum: str
    sensor: JsonObject
    step: StepTaken
    software: dict[str, str]
