"""Is it all there? Compare the catalogue with blobs and tables, both ways."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from core.declaration import PrefixTemplate, PreviousResults, Stage, TaskPlan
from jobs.mixins import JobBaseMixin, JobParameters


class AuditCatalogParameters(JobParameters):
    """What a caller submits."""

    collections: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=1_000,
        description="Only the items of these collections; without it everything, both ways.",
        examples=[["system-rasters"]],
    )
    checksums: bool = Field(
        default=False, description="Read every blob whole and compare its checksum, which takes long."
    )


class AuditCatalogJob(JobBaseMixin):
    """List the parts; audit each; report."""

    job_type = "audit_catalog"
    description = "Compare catalogue, blobs and tables both ways and report what disagrees; changes nothing."
    parameters_schema = AuditCatalogParameters
    intermediate_blobs: ClassVar = (PrefixTemplate("rmhazuregeotemp", "temp/audit_catalog/{job_id}/"),)
    stages: ClassVar = (
        Stage("list", task_type="list_audit_parts"),
        Stage("audit", task_type="audit_part", parallelism="fan_out"),
        Stage("report", task_type="report_audit", parallelism="fan_in"),
    )

    @staticmethod
    def plan_list(p: AuditCatalogParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """List once."""
        yield TaskPlan("list", {"collections": p.collections})

    @staticmethod
    def plan_audit(p: AuditCatalogParameters, previous: PreviousResults) -> Iterable[TaskPlan]:
        """Audit each part by a task of its own."""
        for part in previous.one().result["parts"]:
            key = f"{part['kind']}-{part['name']}"
            yield TaskPlan(key, {"part": part, "checksums": p.checksums})

    @staticmethod
    def plan_report(p: AuditCatalogParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Add up."""
        yield TaskPlan("report", {})
