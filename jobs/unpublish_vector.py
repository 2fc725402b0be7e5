"""Take published vectors back: items, tables and thumbnails."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from pydantic import Field

from core.declaration import Location, PreviousResults, ResourceCheck, Stage, TaskPlan
from jobs.mixins import JobBaseMixin
from jobs.unpublishing import Identifier, UnpublishParameters, reserved_items


class UnpublishVectorParameters(UnpublishParameters):
    """What a caller submits."""

    table_name: Identifier | None = Field(
        default=None, description="A table, with its item if it has one.", examples=["countries"]
    )
    schema_name: Identifier = Field(default="geo", description="The table's schema.")
    drop_table: bool = Field(default=True, description="Whether the table goes with its item.")
    cascade: bool = Field(default=False, description="Whether views that read the table go too.")

    def ways(self) -> dict[str, bool]:
        """Return the ways to say what is to go: a table is one more."""
        return super().ways() | {"table_name": self.table_name is not None}

    @property
    def table(self) -> str | None:
        """Return schema and name of the table."""
        return None if self.table_name is None else f"{self.schema_name}.{self.table_name}"


class UnpublishVectorJob(JobBaseMixin):
    """List what goes with vector items; look at the tables once more; take it out."""

    job_type = "unpublish_vector"
    description = "Remove vector STAC items and their tables; by default only list them."
    parameters_schema = UnpublishVectorParameters
    stages: ClassVar = (
        Stage("inventory", task_type="inventory_vector_item"),
        Stage("drop_table", task_type="drop_postgis_table"),
        Stage("cleanup", task_type="delete_stac_and_audit"),
    )
    resource_validators: ClassVar = (
        ResourceCheck("stac_collection_exists", "collection_id"),
        ResourceCheck("stac_item_exists", "stac_item_id", {"collection_parameter": "collection_id"}),
        ResourceCheck("stac_items_exist", "item_ids", {"collection_parameter": "collection_id"}),
        ResourceCheck("published_table_exists", "table_name", {"schema_parameter": "schema_name"}),
    )

    @staticmethod
    def plan_inventory(p: UnpublishVectorParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """List once, for all stages."""
        yield TaskPlan(
            "inventory",
            {
                "selection": p.selection | {"table": p.table},
                "dry_run": p.dry_run,
                "drop_table": p.drop_table,
                "cascade": p.cascade,
            },
        )

    @staticmethod
    def plan_drop_table(p: UnpublishVectorParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Look at the tables once more."""
        yield TaskPlan("tables", {"dry_run": p.dry_run, "cascade": p.cascade, "grace_days": p.grace_days})

    @staticmethod
    def plan_cleanup(p: UnpublishVectorParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Take items and tables out together."""
        yield TaskPlan("cleanup", {"dry_run": p.dry_run, "grace_days": p.grace_days})

    @classmethod
    def publishes(cls, parameters: UnpublishVectorParameters) -> Sequence[Location]:
        """Return the items and the table, which nobody may publish meanwhile."""
        table = parameters.table
        if parameters.dry_run or table is None:
            return reserved_items(parameters)
        return (Location("table", table),)

    @classmethod
    def replaces(cls, parameters: UnpublishVectorParameters) -> bool:  # noqa: ARG003 - always so
        """Return that what others have published is what it is for."""
        return True
