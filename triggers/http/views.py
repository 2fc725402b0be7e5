"""Records of the engine as the interface shows them."""

from dataclasses import asdict
from typing import Any

from core.declaration import JobType
from core.json import JsonObject
from core.models.records import EventRecord, JobRecord, TaskRecord
from core.states import JobStatus
from core.submission import Receipt
from triggers.error_catalogue import complete
from triggers.http.addresses import job_links
from triggers.http.schemas import (
    Answer,
    DeclaredValidator,
    Event,
    Failure,
    Job,
    JobInList,
    JobTypeDescription,
    Links,
    StageDeclared,
    StageOfJob,
    Submitted,
    Task,
)


def job(record: JobRecord, base: str) -> Job:
    """Return a job with its stages."""
    fields = _job_fields(record, base)
    return Job(**fields, progress=record.progress, stages=[_stage(stage) for stage in record.stages])


def job_in_list(record: JobRecord, base: str) -> JobInList:
    """Return a job that was read without its stages; its progress counts whole stages."""
    begun = (record.stage - 1) / max(record.total_stages, 1)
    progress = 1.0 if record.status is JobStatus.COMPLETED else begun
    return JobInList(**_job_fields(record, base), progress=progress)


def _job_fields(record: JobRecord, base: str) -> dict[str, Any]:
    fields = _same_named(JobInList, record, without=("error", "links", "progress"))
    return fields | {"error": failure(record.error), "links": Links(**job_links(base, record.job_id))}


def _same_named(model: type[Answer], record: object, without: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in model.model_fields if name not in without}


def _stage(stage: Any) -> StageOfJob:
    return StageOfJob.model_validate(asdict(stage))


def task(record: TaskRecord, include: frozenset[str]) -> Task:
    """Return a task, with those of its bulky fields that were asked for."""
    bulky = {"parameters", "result"}
    fields = _same_named(Task, record, without=("error", "last_heartbeat_at", *(bulky - include)))
    return Task(**fields, error=failure(record.error), last_heartbeat_at=record.heartbeat_at)


def event(record: EventRecord) -> Event:
    """Return a line of a job's history."""
    return Event(**_same_named(Event, record, without=("error",)), error=failure(record.error))


def submitted(receipt: Receipt, base: str) -> Submitted:
    """Return the answer to a submission."""
    return Submitted(**asdict(receipt), links=Links(**job_links(base, receipt.job_id)))


def failure(error: JsonObject | None) -> Failure | None:
    """Return a recorded error, complete with what to do about it."""
    return None if error is None else Failure(**complete(error))


def job_type(declared: JobType, base: str) -> JobTypeDescription:
    """Return what there is to know before submitting a job."""
    return JobTypeDescription(
        job_type=declared.job_type,
        description=declared.description,
        identity=declared.identity,
        stages=[
            StageDeclared(
                number=number,
                name=stage.name,
                task_type=stage.task_type,
                parallelism=str(stage.parallelism),
            )
            for number, stage in enumerate(declared.stages, 1)
        ],
        parameters_schema=declared.parameters_schema.model_json_schema(),
        validators=[
            DeclaredValidator(validator=check.validator, parameter=check.parameter)
            for check in declared.resource_validators
        ],
        links=_job_type_links(base, declared.job_type),
    )


def _job_type_links(base: str, name: str) -> dict[str, str]:
    return {"self": f"{base}/jobs/types/{name}", "submit": f"{base}/jobs/submit/{name}"}
