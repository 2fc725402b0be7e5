"""A vector file becomes a PostGIS table with a STAC item."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from core.declaration import (
    Location,
    Parallelism,
    PrefixTemplate,
    PreviousResults,
    ResourceCheck,
    Stage,
    TaskPlan,
)
from core.ports.blobs import BlobRef
from jobs.mixins import JobBaseMixin
from jobs.vector_parameters import ProcessVectorParameters


class ProcessVectorJob(JobBaseMixin):
    """Cut a vector file into clean chunks, load them aside, publish table and item at once."""

    job_type = "process_vector"
    description = "Publish one vector file as a PostGIS table with a STAC item."
    parameters_schema = ProcessVectorParameters
    identity = "for_ever"
    stages: ClassVar = (
        Stage("prepare_chunks", task_type="process_vector_prepare"),
        Stage("upload_chunks", task_type="process_vector_upload", parallelism=Parallelism.FAN_OUT),
        Stage("create_stac", task_type="create_vector_stac"),
    )
    resource_validators: ClassVar = (
        ResourceCheck("container_exists", "container_name"),
        ResourceCheck(
            "blob_exists",
            "blob_name",
            {"container_parameter": "container_name", "max_mb_setting": "VECTOR_MAX_FILE_SIZE_MB"},
        ),
        ResourceCheck("schema_allowed", "schema"),
        ResourceCheck("table_not_exists", "table_name", {"schema_parameter": "schema"}),
        ResourceCheck(
            "item_not_of_another_table",
            "item_id",
            {
                "collection_parameter": "collection_id",
                "schema_parameter": "schema",
                "table_parameter": "table_name",
            },
        ),
        ResourceCheck("container_exists", "output_container"),
    )
    intermediate_blobs: ClassVar = (PrefixTemplate("rmhazuregeotemp", "temp/vector_etl/{job_id}/"),)

    @staticmethod
    def plan_prepare_chunks(p: ProcessVectorParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Read the source once, from its beginning to its end."""
        yield TaskPlan(
            "source",
            {
                "source": _source(p),
                "table": p.location,
                "replace": p.if_exists == "replace",
                "prepare": _prepare(p),
            },
        )

    @staticmethod
    def plan_upload_chunks(p: ProcessVectorParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Load each chunk that is not yet in the table by a task; the rows of all are numbered through."""
        prepared = previous.one().result
        number, first_id = 0, 1
        for run in prepared["runs"]:
            if run.get("is_loaded"):
                number += run["count"]
                first_id += run["count"] * run["rows"]
                continue
            for _ in range(run["count"]):
                yield TaskPlan(
                    f"{number:06d}",
                    {
                        "staged": prepared["staged"],
                        "geometry_type": prepared["geometry_type"],
                        "container": prepared["container"],
                        "name": f"{prepared['prefix']}chunk_{number:05d}.parquet",
                        "first_id": first_id,
                        "rows": run["rows"],
                        "rules": run["rules"],
                    },
                )
                number += 1
                first_id += run["rows"]

    @staticmethod
    def plan_create_stac(p: ProcessVectorParameters, previous: PreviousResults) -> Iterable[TaskPlan]:  # noqa: ARG004 - every planner is given both
        """Publish table and item last, and together."""
        yield TaskPlan(
            "item",
            {
                "schema_name": p.schema_name,
                "table_name": p.table_name,
                "replace": p.if_exists == "replace",
                "spatial_index": p.indexes.spatial,
                "output_container": p.output_container,
                "thumbnail": p.thumbnail,
                "collection_id": p.collection_id,
                "item_id": p.stac_item_id,
                "max_bad_rows_percent": p.converter_params.max_bad_rows_percent,
                "parameters": p.model_dump(mode="json", exclude_defaults=True),
            },
        )

    @classmethod
    def publishes(cls, parameters: ProcessVectorParameters) -> Sequence[Location]:
        """Return the table, the thumbnail and the item."""
        return (
            Location("table", parameters.location),
            Location("blob", f"{parameters.output_container}/{parameters.thumbnail}"),
            Location("item", f"{parameters.collection_id}/{parameters.stac_item_id}"),
        )

    @classmethod
    def sources(cls, parameters: ProcessVectorParameters) -> Sequence[BlobRef]:
        """Return the source file."""
        return (BlobRef(parameters.container_name, parameters.blob_name),)


def _source(p: ProcessVectorParameters) -> dict[str, object]:
    return {"container": p.container_name, "name": p.blob_name}


def _prepare(p: ProcessVectorParameters) -> dict[str, object]:
    return {
        "file_extension": p.file_extension,
        "layer": p.layer or p.converter_params.layer_name,
        "input_crs": p.input_crs,
        "target_crs": p.target_crs,
        "chunk_size": p.chunk_size,
        "dimensions": p.dimensions,
        "converter": p.converter_params.model_dump(mode="json"),
        "geometry": p.geometry_params.model_dump(mode="json"),
        "indexes": p.indexes.model_dump(mode="json", include={"attributes", "temporal"}),
    }
