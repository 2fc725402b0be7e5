"""Job types: declarations without I/O."""

from core.declaration import JobType
from jobs.audit_catalog import AuditCatalogJob
from jobs.hello_world import HelloWorldJob
from jobs.process_raster import ProcessRasterJob
from jobs.process_vector import ProcessVectorJob
from jobs.restore_unpublished import RestoreUnpublishedJob
from jobs.unpublish_raster import UnpublishRasterJob
from jobs.unpublish_vector import UnpublishVectorJob

#: Every job type that can be submitted.
ALL_JOBS: tuple[JobType, ...] = (
    HelloWorldJob,
    ProcessRasterJob,
    ProcessVectorJob,
    UnpublishRasterJob,
    UnpublishVectorJob,
    RestoreUnpublishedJob,
    AuditCatalogJob,
)
