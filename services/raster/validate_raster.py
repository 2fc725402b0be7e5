"""The handler of ``validate_raster``: is this a raster that can be published, and how."""

from pydantic import BaseModel

from core.handler import TaskContext, task_handler
from services.raster.fetching import fetch, find_source
from services.raster.handover import RasterSource, ValidatedRaster
from services.raster.models import InspectRaster, RasterReport
from services.raster.tiers import OutputTier, RequestedType


class ValidateRaster(BaseModel):
    """Parameters; see the job's for what each means."""

    source: RasterSource
    input_crs: str | None = None
    raster_type: RequestedType = "auto"
    strict_mode: bool = False
    output_tier: OutputTier | str = "analysis"
    target_crs: str = "EPSG:4326"
    resolution: float | None = None
    nodata: float | None = None
    rpc_height: float | None = None


@task_handler("validate_raster", lane="heavy")
def validate_raster(p: ValidateRaster, context: TaskContext) -> ValidatedRaster:
    """Fetch a raster and look at it in a child.

    Raises:
        TaskFailed: It cannot be published; the details hold every finding.
    """
    source = find_source(context, p.source)
    context.progress(0.05, f"fetching {source.ref}")
    path, sidecars = fetch(context, source)
    context.progress(0.3, "looking at the raster")
    report = context.isolated(
        "services.raster.native.inspection:inspect_raster",
        InspectRaster.model_validate(p.model_dump(exclude={"source"}) | {"path": path, "sidecars": sidecars}),
        RasterReport,
        kind="raster",
    )
    return ValidatedRaster(source=source, sidecars=sidecars, report=report, findings=report.findings)
