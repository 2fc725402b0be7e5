"""Submission: the one way in, for HTTP, timers, batch jobs and the command line."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from core import codes, identity
from core.admission import Admission
from core.bells import Bells
from core.declaration import JobType, parameter_names
from core.errors import Conflict, InvalidInput, NotFound, TransientError, Violation
from core.json import JsonObject
from core.models.records import JobRecord
from core.models.submissions import NewJob, SubmitAnswer
from core.ports.blobs import BlobRef, BlobStore
from core.ports.engine import JobRepository
from core.registry import Registry
from core.states import JobStatus
from core.validation import ResourceValidators

logger = logging.getLogger(__name__)

# Callers write JSON; pydantic speaks of Python.
_JSON_WORDS: Final = {
    "dict_type": "Input should be an object",
    "list_type": "Input should be an array",
    "model_attributes_type": "Input should be an object",
    "model_type": "Input should be an object",
    "tuple_type": "Input should be an array",
}

_CLEANING_UP_PAUSE = timedelta(seconds=10)
_STOPPING_PAUSE = timedelta(seconds=10)


@dataclass(frozen=True)
class SubmitRequest:
    """What a caller asks for."""

    job_type: str
    parameters: JsonObject
    priority: int = 5
    rerun: bool = False
    requested_by: str = "unknown"
    traceparent: str | None = None


@dataclass(frozen=True)
class Receipt:
    """The answer to a submission."""

    job_id: str
    job_type: str
    status: str
    revision: int
    created: bool


@dataclass(frozen=True)
class SubmissionService:
    """Validates, identifies, looks up, checks, reserves and records, in this order.

    Args:
        registry: What can be submitted.
        jobs: Where it is recorded.
        blobs: For the ETags of sources.
        validators: The resource validators.
        bells: Rung after the commit.
        admission: How many jobs may be active; None for no limit.
    """

    registry: Registry
    jobs: JobRepository
    blobs: BlobStore
    validators: ResourceValidators
    bells: Bells
    admission: Admission | None = None

    def submit(self, request: SubmitRequest) -> Receipt:
        """Record a job, or find the one that there is.

        Raises:
            NotFound: The job type does not exist.
            InvalidInput: Parameters or resources are wrong; `violations` has every one.
            Conflict: Its outputs belong to another job, or it is stopping or being cleaned up.
            TooManyRequests: Too many jobs are active.
            TransientError: The database or the store does not answer.
        """
        job = self.registry.job(request.job_type)
        parameters = parse_parameters(job, request.parameters)
        job_id = identity.job_id(job.job_type, job.identity_parameters(parameters))
        existing = self.jobs.get(job_id)
        if existing is not None and not existing.ended:
            return self._joined(existing)
        sources = self._etags(job.sources(parameters))
        rerun = request.rerun
        if existing is not None and self._stands(job, existing) and not rerun:
            if not _changed(existing.sources, sources):
                return _receipt(existing, created=False)
            logger.info("source changed", extra={"job_id": job_id})
            rerun = True
        if self.admission is not None:
            self.admission.check()
        self._check_resources(job, parameters)
        new = NewJob(
            job_id=job_id,
            job_type=job.job_type,
            identity=job.identity,
            parameters=parameters.model_dump(mode="json"),
            stages=job.stages,
            priority=request.priority,
            requested_by=request.requested_by,
            reservations=job.publishes(parameters),
            replace=job.replaces(parameters),
            has_intermediates=bool(job.intermediate_blobs),
            sources=sources,
            rerun=rerun,
            seen_revision=existing.revision if existing else None,
            traceparent=request.traceparent,
        )
        return self._answer(new, self.jobs.submit(new))

    def resubmit(self, job_id: str, requested_by: str) -> Receipt:
        """Run a failed, cancelled, partly failed or unpublished job again, as its next revision.

        Raises:
            NotFound: There is no such job.
            Conflict: It is active, or completed.
        """
        record = self.jobs.get(job_id)
        if record is None:
            raise NotFound(codes.JOB_UNKNOWN, f"There is no job {job_id}.")
        again = record.status in (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.COMPLETED_WITH_ERRORS)
        if not again and record.unpublished_at is None:
            raise Conflict(codes.JOB_NOT_RESUBMITTABLE, f"Job {job_id} is {record.status}.")
        return self.submit(
            SubmitRequest(record.job_type, record.parameters, record.priority, requested_by=requested_by)
        )

    def _joined(self, existing: JobRecord) -> Receipt:
        if existing.stopping:
            raise _stopping(existing.job_id)
        # The bells of the first submission may have been lost with the bus.
        self.bells.ring("light")
        return _receipt(existing, created=False)

    def _stands(self, job: JobType, existing: JobRecord) -> bool:
        return (
            job.identity == "for_ever"
            and existing.status is JobStatus.COMPLETED
            and existing.unpublished_at is None
            and existing.superseded_by is None
        )

    def _etags(self, sources: Sequence[BlobRef]) -> dict[str, str]:
        etags: dict[str, str] = {}
        for ref in sources:
            try:
                etags[str(ref)] = self.blobs.properties(ref).etag
            except (NotFound, TransientError):
                # A source that is gone or out of reach says nothing about a change; whether it
                # must be there is the resource validators' question.
                logger.info("source not seen", extra={"source": str(ref)})
        return etags

    def _check_resources(self, job: JobType, parameters: BaseModel) -> None:
        found = self.validators.run(job, parameters)
        if found:
            violations = tuple(violation for violation, _ in found)
            codes_found = {code for _, code in found}
            code = codes_found.pop() if len(codes_found) == 1 else codes.RESOURCES_INVALID
            raise InvalidInput(code, " ".join(violation.message for violation in violations), violations)

    def _answer(self, new: NewJob, answer: SubmitAnswer) -> Receipt:
        if answer.answer == "owned":
            raise Conflict(
                codes.ARTIFACT_OWNED,
                f"{answer.location} belongs to job {answer.owner}.",
                job_id=answer.owner,
                location=answer.location,
            )
        if answer.answer == "stopping":
            raise _stopping(new.job_id)
        if answer.answer == "cleaning":
            raise Conflict(
                codes.JOB_CLEANING_UP,
                f"The last run of job {new.job_id} is being cleaned up.",
                _CLEANING_UP_PAUSE,
            )
        created = answer.answer == "created"
        if answer.answer in ("created", "joined"):
            self.bells.ring("light")
        if created:
            logger.info(
                "job submitted",
                extra={"job_id": new.job_id, "job_type": new.job_type, "revision": answer.revision},
            )
        return Receipt(new.job_id, new.job_type, answer.status, answer.revision, created)


def parse_parameters(job: JobType, given: Mapping[str, Any]) -> BaseModel:
    """Validate what a caller gave and return it complete with defaults.

    Raises:
        InvalidInput: Everything that is wrong, by parameter, with its value.
    """
    try:
        return job.parameters_schema.model_validate(given)
    except ValidationError as error:
        violations = tuple(_violation(job, dict(problem)) for problem in error.errors(include_url=False))
        detail = "; ".join(f"{v.parameter}: {v.message}" for v in violations)
        raise InvalidInput(codes.PARAMETERS_INVALID, detail, violations) from error


def _violation(job: JobType, problem: dict[str, Any]) -> Violation:
    parameter = ".".join(str(part) for part in problem["loc"]) or "(body)"
    message = _message(job, problem)
    value = None if problem["type"] == "missing" else problem.get("input")
    return Violation(parameter, message, value)


def _message(job: JobType, problem: dict[str, Any]) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = ", ".join(parameter_names(job.parameters_schema, problem["loc"][:-1]))
        return "There is no such parameter" + (f"; there are: {known}." if known else ".")
    if kind == "too_long" and context["field_type"] in ("Tuple", "List"):
        return f"Array should have at most {context['max_length']} items"
    return _JSON_WORDS.get(kind, str(problem["msg"]).removeprefix("Value error, "))


def _changed(before: JsonObject, now: Mapping[str, str]) -> bool:
    return any(name in before and before[name] != etag for name, etag in now.items())


def _receipt(record: JobRecord, *, created: bool) -> Receipt:
    return Receipt(record.job_id, record.job_type, record.status, record.revision, created)


def _stopping(job_id: str) -> Conflict:
    return Conflict(codes.JOB_STOPPING, f"Job {job_id} is stopping.", _STOPPING_PAUSE)
