"""Put back what was taken out of publication, as long as its grace lasts."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from core.declaration import PreviousResults, ResourceCheck, Stage, TaskPlan
from jobs.mixins import JobBaseMixin, JobParameters


class RestoreUnpublishedParameters(JobParameters):
    """What a caller submits."""

    audit_id: str = Field(
        pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description="Id of the audit record, from the unpublishing job or GET /api/dbadmin/unpublished.",
        examples=["6f1f5d5c-2f0b-5c64-9a55-5d0c1f6f9a10"],
    )


class RestoreUnpublishedJob(JobBaseMixin):
    """Look what is in the way; copy the blobs back; put items and tables back."""

    job_type = "restore_unpublished"
    description = "Put an unpublished item, its blobs and its table back as they were."
    parameters_schema = RestoreUnpublishedParameters
    stages: ClassVar = (
        Stage("check", task_type="check_restorable"),
        Stage("restore_blobs", task_type="restore_blobs", parallelism="fan_out"),
        Stage("restore_item", task_type="restore_item"),
    )
    resource_validators: ClassVar = (ResourceCheck("unpublished_exists", "audit_id"),)

    @staticmethod
    def plan_check(p: RestoreUnpublishedParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Look once, at everything."""
        yield TaskPlan("check", {"audit_id": p.audit_id})

    @staticmethod
    def plan_restore_blobs(p: RestoreUnpublishedParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Copy the blobs back, some fifty a task."""
        for first in range(0, previous.one().result["blobs"], 50):
            yield TaskPlan(f"{first:06d}", {"audit_id": p.audit_id, "first": first, "count": 50})

    @staticmethod
    def plan_restore_item(p: RestoreUnpublishedParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Put item and tables back together, last."""
        yield TaskPlan("item", {"audit_id": p.audit_id})
