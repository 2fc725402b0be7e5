"""One raster becomes a Cloud Optimized GeoTIFF with a STAC item."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from core.blob_names import normalised_blob_name
from core.crs_texts import can_be_crs
from core.declaration import Location, PreviousResults, ResourceCheck, Stage, TaskPlan
from core.errors import InvalidInput
from core.item_ids import ID_PATTERN, item_id
from core.ports.blobs import BlobRef
from jobs.mixins import JobBaseMixin, JobParameters

RasterType = Literal["auto", "rgb", "rgba", "dem", "categorical", "multispectral", "nir"]
Tier = Literal["visualization", "analysis", "archive"]
Resampling = Literal["nearest", "bilinear", "cubic", "cubicspline", "lanczos", "average", "mode", "rms"]

TIERS: tuple[Tier, ...] = ("analysis", "visualization", "archive")
# File systems take 255 bytes, of which the names of outputs and of work files need some.
_LONGEST_FILE_NAME = 200
_LONGEST_ENDING = "_cog_visualization.tif"
CONTAINER_PATTERN = r"^[a-z0-9](?:-?[a-z0-9]){2,62}$"


class ProcessRasterParameters(JobParameters):
    """What a caller submits."""

    container_name: str = Field(
        pattern=CONTAINER_PATTERN, description="Container of the source.", examples=["bronze-rasters"]
    )
    blob_name: str = Field(description="Path of the source in it.", examples=["dem/tile_17.tif"])
    sidecar_blobs: tuple[str, ...] = Field(
        default=(),
        strict=False,
        max_length=16,
        description="Files that belong to the source; .tfw, .prj, .aux.xml, .imd and .rpb of the same "
        "name beside it are found without being named.",
    )
    raster_type: RasterType = Field(
        default="auto", description="What the raster shows; an error if the data say something else."
    )
    output_tier: Literal["visualization", "analysis", "archive", "all"] = Field(
        default="analysis", description="JPEG for maps, DEFLATE for work, LZW for keeping, or all three."
    )
    output_container: str = Field(
        default="silver-cogs", pattern=CONTAINER_PATTERN, description="Container of the COG."
    )
    output_folder: str | None = Field(default=None, description="Folder of the COG in its container.")
    target_crs: str = Field(default="EPSG:4326", max_length=4_000, description="CRS of the COG.")
    input_crs: str | None = Field(
        default=None,
        max_length=4_000,
        description="CRS of a source that declares none; an error if it declares another.",
    )
    resolution: float | None = Field(
        default=None, gt=0, strict=False, description="Pixel size in units of the target CRS."
    )
    resampling: Resampling | None = Field(default=None, description="Of the warp; else by raster type.")
    overview_resampling: Resampling | None = Field(
        default=None, description="Of the overviews; else by raster type."
    )
    nodata: float | None = Field(default=None, strict=False, description="Nodata of the source.")
    rpc_height: float | None = Field(
        default=None, strict=False, description="Height in metres at which RPCs are used."
    )
    jpeg_quality: int | None = Field(
        default=None, ge=1, le=100, description="Of the visualization tier; 85 if not given."
    )
    strict_mode: bool = Field(default=False, description="Wasteful data types are errors.")
    collection_id: str = Field(
        default="system-rasters", pattern=ID_PATTERN, description="STAC collection of the item."
    )
    item_id: str | None = Field(
        default=None, pattern=ID_PATTERN, description="Id of the STAC item; else made of the COG's path."
    )
    if_exists: Literal["fail", "replace"] = Field(
        default="fail", description="What to do where another job has published."
    )

    @field_validator("blob_name")
    @classmethod
    def _is_a_file_name(cls, value: str) -> str:
        nbytes = len(PurePosixPath(_checked_name(value)).name.encode())
        if nbytes > _LONGEST_FILE_NAME:
            raise ValueError(f"the file's own name has {nbytes} bytes, more than {_LONGEST_FILE_NAME}")
        return value

    @field_validator("output_folder")
    @classmethod
    def _leaves_room_for_the_outputs(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and "blob_name" in info.data:
            stem = PurePosixPath(info.data["blob_name"]).stem
            _checked_name(f"{_checked_name(value).strip('/')}/{stem}{_LONGEST_ENDING}")
        return value

    @field_validator("sidecar_blobs")
    @classmethod
    def _are_blob_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_checked_name(name) for name in value)

    @field_validator("target_crs", "input_crs")
    @classmethod
    def _can_be_a_crs(cls, value: str | None) -> str | None:
        if value is not None and not can_be_crs(value):
            raise ValueError("it is no code such as EPSG:32633, no WKT, PROJ string or PROJJSON")
        return value

    @field_validator("output_container")
    @classmethod
    def _is_no_source(cls, value: str) -> str:
        if value.startswith("bronze"):
            raise ValueError(f"{value} holds sources; name a silver container")
        return value

    @field_validator("jpeg_quality")
    @classmethod
    def _goes_with_the_tier(cls, value: int | None, info: ValidationInfo) -> int | None:
        tier = info.data.get("output_tier", "all")
        if value is not None and tier not in ("visualization", "all"):
            raise ValueError(f"it goes with output_tier visualization or all, not {tier}")
        return value

    @property
    def targets(self) -> dict[Tier, str]:
        """Return the COG's blob name for each tier that is asked for; the data asset's is first."""
        folder = f"{self.output_folder.strip('/')}/" if self.output_folder else ""
        stem = PurePosixPath(self.blob_name).stem
        if self.output_tier != "all":
            return {self.output_tier: f"{folder}{stem}_cog.tif"}
        return {tier: f"{folder}{stem}_cog_{tier}.tif" for tier in TIERS}

    @property
    def thumbnail(self) -> str:
        """Return the thumbnail's blob name."""
        folder = f"{self.output_folder.strip('/')}/" if self.output_folder else ""
        return f"{folder}{PurePosixPath(self.blob_name).stem}_thumbnail.png"

    @property
    def stac_item_id(self) -> str:
        """Return the item's id."""
        return self.item_id or item_id(self.collection_id, next(iter(self.targets.values())))


class ProcessRasterJob(JobBaseMixin):
    """Validate a raster, write it as a COG, publish a STAC item."""

    job_type = "process_raster_v2"
    description = "Publish one raster as a Cloud Optimized GeoTIFF with a STAC item."
    parameters_schema = ProcessRasterParameters
    identity = "for_ever"
    stages: ClassVar = (
        Stage("validate", task_type="validate_raster"),
        Stage("create_cog", task_type="create_cog"),
        Stage("create_stac", task_type="extract_stac_metadata"),
    )
    resource_validators: ClassVar = (
        ResourceCheck("container_exists", "container_name"),
        ResourceCheck(
            "blob_exists",
            "blob_name",
            {"container_parameter": "container_name", "max_mb_setting": "RASTER_MAX_FILE_SIZE_MB"},
        ),
        ResourceCheck("blobs_exist", "sidecar_blobs", {"container_parameter": "container_name"}),
        ResourceCheck("container_exists", "output_container"),
    )

    @staticmethod
    def plan_validate(p: ProcessRasterParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Look at the source once."""
        yield TaskPlan("raster", {"source": _source(p)} | _reading(p))

    @staticmethod
    def plan_create_cog(p: ProcessRasterParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Write every tier in one task, so that the source is fetched once."""
        validated = previous.one().result
        yield TaskPlan(
            "cog",
            {
                "source": validated["source"],
                "sidecars": validated["sidecars"],
                "findings": validated["findings"],
                "report": validated["report"],
                "target_container": p.output_container,
                "targets": p.targets,
                "thumbnail": p.thumbnail,
                "target_crs": p.target_crs,
                "input_crs": p.input_crs,
                "resolution": p.resolution,
                "nodata": p.nodata,
                "rpc_height": p.rpc_height,
                "jpeg_quality": p.jpeg_quality,
                "warp_resampling": p.resampling,
                "overview_resampling": p.overview_resampling,
            },
        )

    @staticmethod
    def plan_create_stac(p: ProcessRasterParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Describe the COG in pgSTAC last, so that no item points at nothing."""
        written = previous.one().result
        yield TaskPlan(
            "item",
            {
                "collection_id": p.collection_id,
                "item_id": p.stac_item_id,
                "parameters": p.model_dump(mode="json", exclude_defaults=True),
                "written": written,
            },
        )

    @classmethod
    def publishes(cls, parameters: ProcessRasterParameters) -> Sequence[Location]:
        """Return the COGs, the thumbnail and the item."""
        blobs = [*parameters.targets.values(), parameters.thumbnail]
        return (
            *(Location("blob", f"{parameters.output_container}/{name}") for name in blobs),
            Location("item", f"{parameters.collection_id}/{parameters.stac_item_id}"),
        )

    @classmethod
    def sources(cls, parameters: ProcessRasterParameters) -> Sequence[BlobRef]:
        """Return the source raster."""
        return (BlobRef(parameters.container_name, parameters.blob_name),)


def _checked_name(name: str) -> str:
    try:
        return normalised_blob_name(name)
    except InvalidInput as error:
        raise ValueError(error.message) from error


def _source(p: ProcessRasterParameters) -> dict[str, object]:
    return {"container": p.container_name, "name": p.blob_name, "sidecars": list(p.sidecar_blobs)}


def _reading(p: ProcessRasterParameters) -> dict[str, object]:
    return {
        "input_crs": p.input_crs,
        "raster_type": p.raster_type,
        "strict_mode": p.strict_mode,
        "output_tier": p.output_tier,
        "target_crs": p.target_crs,
        "resolution": p.resolution,
        "nodata": p.nodata,
        "rpc_height": p.rpc_height,
    }
