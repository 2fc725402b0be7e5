"""Job types: declarations without I/O."""

from core.declaration import JobType
from jobs.hello_world import HelloWorldJob
from jobs.process_raster import ProcessRasterJob
from jobs.process_vector import ProcessVectorJob

#: Every job type that can be submitted.
ALL_JOBS: tuple[JobType, ...] = (HelloWorldJob, ProcessRasterJob, ProcessVectorJob)
