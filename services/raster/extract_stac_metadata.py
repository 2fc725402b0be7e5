"""The handler of ``extract_stac_metadata``: the item of a written raster, published with its COGs."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel

from core import codes
from core.errors import TaskFailed
from core.handler import TaskContext, task_handler
from core.json import JsonObject
from services.raster.handover import PublishedCog, WrittenRaster
from services.raster.models import BandDescription, CogDescription
from services.sensor_metadata import sensor_names
from services.stac.band_combinations import band_combinations
from services.stac.collections import raster_collection
from services.stac.items import build_raster_item
from services.stac.models import (
    Acquisition,
    Band,
    FileInfo,
    PaletteClass,
    ProcessingStep,
    Projection,
    Provenance,
    RasterAsset,
    RasterItem,
    SourceBlob,
    Statistics,
    StepFile,
)
from services.stac.renders import default_renders
from services.stac.spectral import name_bands

_ASSETS = {"analysis": "data", "visualization": "visual", "archive": "archive"}


class ExtractStacMetadata(BaseModel):
    """Parameters.

    Args:
        parameters: What the job was asked for, for the item's history.
    """

    collection_id: str
    item_id: str
    parameters: JsonObject
    written: WrittenRaster


class PublishedItem(BaseModel):
    """Result: where everything is."""

    collection_id: str
    item_id: str
    bbox: tuple[float, ...]
    assets: dict[str, str]
    raster_type: str
    findings: list[JsonObject]


@task_handler("extract_stac_metadata")
def extract_stac_metadata(p: ExtractStacMetadata, context: TaskContext) -> PublishedItem:
    """Upsert the item, and with it make the COGs the job's own, in one transaction.

    Raises:
        TaskFailed: pgSTAC refuses the item, or does not give it back.
    """
    item = build_raster_item(describe_item(p, context))
    result = PublishedItem(
        collection_id=p.collection_id,
        item_id=item["id"],
        bbox=tuple(item["bbox"]),
        assets={key: asset["href"] for key, asset in item["assets"].items()},
        raster_type=p.written.raster_type,
        findings=[finding.model_dump() for finding in p.written.findings],
    )
    with context.publication() as transaction:
        transaction.catalogue.ensure_collection(raster_collection(p.collection_id))
        transaction.catalogue.upsert_items([item])
        if transaction.catalogue.get_item(p.collection_id, item["id"]) is None:
            raise TaskFailed(
                codes.CATALOGUE_ITEM_INVALID, f"{p.collection_id}/{item['id']} does not read back."
            )
        transaction.complete(result.model_dump(mode="json"))
    return result


def describe_item(p: ExtractStacMetadata, context: TaskContext) -> RasterItem:
    """Put what the job found out in the terms of the item's builder."""
    cogs = list(p.written.cogs.items())
    _, data = cogs[0]
    hints = (p.written.source.name, *sensor_names(p.written.sensor))
    assets = {"data": _asset(data, hints)} | {
        _ASSETS[tier]: _asset(cog, hints, ("visual",) if tier == "visualization" else ("data",))
        for tier, cog in cogs[1:]
    }
    description = data.description
    combinations = band_combinations(assets["data"].bands)
    no_combinations = {"app:no_band_combinations": combinations.missing} if combinations.missing else {}
    return RasterItem(
        collection_id=p.collection_id,
        item_id=p.item_id,
        blob_name=data.name,
        geometry=description.geometry,
        bbox=description.bbox,
        assets=assets,
        thumbnail=FileInfo(
            href=p.written.thumbnail.url,
            nbytes=p.written.thumbnail.nbytes,
            checksum=p.written.thumbnail.checksum,
        ),
        source=_source(p, context),
        acquired=_acquired(description),
        provenance=_provenance(p, context),
        renders=default_renders(p.written.raster_type, assets["data"].bands) | combinations.renders,
        properties=p.written.sensor | no_combinations,
    )


def _asset(cog: PublishedCog, hints: Sequence[str], roles: tuple[str, ...] = ("data",)) -> RasterAsset:
    description = cog.description
    return RasterAsset(
        href=cog.url,
        nbytes=cog.nbytes,
        checksum=cog.checksum,
        roles=roles,
        projection=Projection(
            code=description.proj_code,
            wkt2=description.proj_wkt2,
            shape=description.proj_shape,
            transform=tuple(description.proj_transform),
            bbox=description.proj_bbox,
        ),
        bands=name_bands([_band(band, description) for band in description.bands], hints),
        gsd=description.gsd,
    )


def _band(band: BandDescription, description: CogDescription) -> Band:
    is_palette = band.colour_interpretation == "palette"
    classes = tuple(
        PaletteClass(value=entry.value, colour=entry.rgba[:3])
        for entry in (description.palette if is_palette else ())
    )
    return Band(
        name=band.name,
        description=band.description,
        data_type=band.data_type,
        nodata=band.nodata,
        unit=band.unit,
        scale=band.scale,
        offset=band.offset,
        statistics=Statistics(**band.statistics.model_dump()) if band.statistics else None,
        common_name=band.common_name,
        classes=classes,
    )


def _source(p: ExtractStacMetadata, context: TaskContext) -> SourceBlob:
    source = p.written.source
    return SourceBlob(
        href=context.blobs.url(source.ref),
        last_modified=source.last_modified or datetime.now(UTC),
        title=source.name,
        nbytes=source.nbytes,
        checksum=p.written.source_checksum,
    )


def _acquired(description: CogDescription) -> Acquisition | None:
    if description.acquired is None:
        return None
    return Acquisition(
        datetime=datetime.fromisoformat(description.acquired.datetime), source=description.acquired.source
    )


def _provenance(p: ExtractStacMetadata, context: TaskContext) -> Provenance:
    now = datetime.now(UTC)
    source = StepFile(href=context.blobs.url(p.written.source.ref), checksum=p.written.source_checksum)
    outputs = tuple(StepFile(href=cog.url, checksum=cog.checksum) for cog in p.written.cogs.values())
    task = context.task
    return Provenance(
        job_id=context.task.job_id,
        job_type=context.task.job_type,
        software=p.written.software,
        processed_at=now,
        lineage="Validated, written as a Cloud Optimized GeoTIFF and catalogued.",
        history=(
            ProcessingStep(
                name="create_cog",
                job_id=task.job_id,
                task_id=p.written.step.task_id,
                inputs=(source,),
                outputs=outputs,
                software=p.written.software,
                parameters=p.parameters,
                completed_at=p.written.step.completed_at,
            ),
            ProcessingStep(
                name="extract_stac_metadata",
                job_id=task.job_id,
                task_id=task.task_id,
                inputs=outputs,
                completed_at=now,
            ),
        ),
    )
