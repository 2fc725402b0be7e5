"""The handler of ``create_cog``: write, check, describe and publish COGs."""

from datetime import UTC, datetime
from pathlib import PurePosixPath

from pydantic import BaseModel

from core.checksums import multihash
from core.handler import TaskContext, task_handler
from core.ports.blobs import BlobRef, WriteOptions
from services.findings import Finding
from services.raster.fetching import fetch
from services.raster.handover import PublishedCog, PublishedFile, RasterSource, StepTaken, WrittenRaster
from services.raster.models import (
    CogDescription,
    CogWritten,
    DescribeCog,
    RasterReport,
    ThumbnailWritten,
    WriteCog,
    WriteThumbnail,
)
from services.raster.tiers import JPEG_QUALITY, TIERS, OutputTier, Resampling
from services.sensor_metadata import describe_sensor

COG_MEDIA_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"


class CreateCog(BaseModel):
    """Parameters; see the job's for what each means.

    Args:
        targets: Blob name by tier; the data asset's tier first.
    """

    source: RasterSource
    sidecars: list[str] = []
    findings: list[Finding] = []
    report: RasterReport
    target_container: str
    targets: dict[OutputTier, str]
    thumbnail: str
    target_crs: str = "EPSG:4326"
    input_crs: str | None = None
    resolution: float | None = None
    nodata: float | None = None
    rpc_height: float | None = None
    jpeg_quality: int | None = None
    warp_resampling: Resampling | None = None
    overview_resampling: Resampling | None = None


@task_handler("create_cog", lane="heavy")
def create_cog(p: CreateCog, context: TaskContext) -> WrittenRaster:
    """Write a raster as COGs, each published once however often the task runs.

    Raises:
        TaskFailed: The raster cannot be written; see the code.
        Conflict: The place of an output belongs to another job.
    """
    path, sidecars = fetch(context, p.source)
    tiers = [tier for tier in p.targets if tier in p.report.tiers]
    cogs: dict[OutputTier, PublishedCog] = {}
    findings = list(p.findings)
    for tier in tiers:
        context.progress(0.1 + 0.8 * len(cogs) / len(tiers), f"writing the {tier} COG")
        cogs[tier] = _publish_tier(p, context, tier, path, sidecars)
        written = cogs[tier].written
        findings += [new for new in (written.findings if written else []) if new not in findings]
    thumbnail = _publish_thumbnail(p, context, _local_name(p, tiers[0], path))
    return WrittenRaster(
        source=p.source,
        raster_type=p.report.raster_type,
        cogs=cogs,
        thumbnail=thumbnail,
        findings=findings,
        source_checksum=multihash(context.workspace / path),
        sensor=describe_sensor(p.report.tags),
        step=StepTaken(task_id=context.task.task_id, completed_at=datetime.now(UTC)),
        software=cogs[tiers[0]].description.software,
    )


def _publish_tier(
    p: CreateCog, context: TaskContext, tier: OutputTier, path: str, sidecars: list[str]
) -> PublishedCog:
    target = BlobRef(p.target_container, p.targets[tier])
    options = WriteOptions(content_type=COG_MEDIA_TYPE, access_tier=TIERS[tier].access_tier)
    written = None if _is_ready(p, tier) else _write(p, context, tier, path, sidecars)
    local = _local_name(p, tier, path)
    description = context.isolated(
        "services.raster.native.description:describe_cog",
        DescribeCog(path=local, checksum=written.checksum if written else None),
        CogDescription,
        kind="raster",
    )
    if written is None:
        source = context.blobs.properties(p.source.ref)
        blob = context.copy_blob(source, target, options, checksum=description.checksum)
    else:
        blob = context.publish_blob(context.workspace / local, target, options, checksum=description.checksum)
    return PublishedCog(
        container=target.container,
        name=target.name,
        url=blob.url,
        nbytes=blob.nbytes,
        checksum=description.checksum,
        written=written,
        description=description,
    )


def _write(
    p: CreateCog, context: TaskContext, tier: OutputTier, path: str, sidecars: list[str]
) -> CogWritten:
    call = WriteCog(
        path=path,
        sidecars=sidecars,
        output=_local_name(p, tier, path),
        tier=tier,
        raster_type=p.report.raster_type,
        input_crs=p.input_crs,
        target_crs=p.target_crs,
        resolution=p.resolution,
        nodata=p.nodata,
        unused_value=p.report.unused_value,
        rpc_height=p.rpc_height,
        jpeg_quality=p.jpeg_quality or JPEG_QUALITY,
        warp_resampling=p.warp_resampling,
        overview_resampling=p.overview_resampling,
    )
    return context.isolated("services.raster.native.cog:write_cog", call, CogWritten, kind="raster")


def _publish_thumbnail(p: CreateCog, context: TaskContext, cog: str) -> PublishedFile:
    drawn = context.isolated(
        "services.raster.native.thumbnail:write_thumbnail",
        WriteThumbnail(path=cog, raster_type=p.report.raster_type),
        ThumbnailWritten,
        kind="raster",
    )
    blob = context.publish_blob(
        context.workspace / drawn.path,
        BlobRef(p.target_container, p.thumbnail),
        WriteOptions(content_type="image/png"),
        checksum=drawn.checksum,
    )
    return PublishedFile(url=blob.url, nbytes=blob.nbytes, checksum=drawn.checksum)


def _is_ready(p: CreateCog, tier: OutputTier) -> bool:
    """Tell whether the source already is the COG of this tier, and may be copied as it is."""
    return p.report.is_cog and len(p.targets) == 1 and tier in p.targets


def _local_name(p: CreateCog, tier: OutputTier, path: str) -> str:
    if _is_ready(p, tier):
        return path
    return f"{PurePosixPath(path).stem}.{tier}.cog.tif"
