"""Take published rasters back: items, COGs, mosaics and thumbnails."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from core.declaration import Location, PreviousResults, ResourceCheck, Stage, TaskPlan
from jobs.mixins import JobBaseMixin
from jobs.unpublishing import UnpublishParameters, reserved_items


class UnpublishRasterParameters(UnpublishParameters):
    """What a caller submits."""


class UnpublishRasterJob(JobBaseMixin):
    """List what goes with raster items; copy it aside; take it out."""

    job_type = "unpublish_raster"
    description = "Remove raster STAC items and the blobs that they own; by default only list them."
    parameters_schema = UnpublishRasterParameters
    stages: ClassVar = (
        Stage("inventory", task_type="inventory_raster_item"),
        Stage("delete_blobs", task_type="delete_blob", parallelism="fan_out"),
        Stage("cleanup", task_type="delete_stac_and_audit"),
    )
    resource_validators: ClassVar = (
        ResourceCheck("stac_collection_exists", "collection_id"),
        ResourceCheck("stac_item_exists", "stac_item_id", {"collection_parameter": "collection_id"}),
        ResourceCheck("stac_items_exist", "item_ids", {"collection_parameter": "collection_id"}),
    )

    @staticmethod
    def plan_inventory(p: UnpublishRasterParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """List once, for all stages."""
        yield TaskPlan("inventory", {"selection": p.selection, "dry_run": p.dry_run})

    @staticmethod
    def plan_delete_blobs(p: UnpublishRasterParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Set the reserved blobs aside, some fifty a task; a dry run has none."""
        for number, part in enumerate(previous.one().result["slices"]):
            yield TaskPlan(f"{number:05d}", {"part": part, "grace_days": p.grace_days})

    @staticmethod
    def plan_cleanup(p: UnpublishRasterParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Take the items out last, so that none points at nothing."""
        yield TaskPlan("cleanup", {"dry_run": p.dry_run, "grace_days": p.grace_days})

    @classmethod
    def publishes(cls, parameters: UnpublishRasterParameters) -> Sequence[Location]:
        """Return the items, which nobody may publish meanwhile."""
        return reserved_items(parameters)

    @classmethod
    def replaces(cls, parameters: UnpublishRasterParameters) -> bool:  # noqa: ARG003 - always so
        """Return that what others have published is what it is for."""
        return True
