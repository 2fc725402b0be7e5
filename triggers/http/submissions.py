"""Submitting jobs, for the first time and again."""

import logging
from http import HTTPStatus
from typing import Any, Literal

from pydantic import Field, field_validator

from core.errors import Conflict, InvalidInput, NotFound, TooManyRequests
from core.ports.engine import JobFilter
from core.submission import Receipt, SubmitRequest
from triggers.bootstrap import app
from triggers.http import views
from triggers.http.bodies import json_object
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.paging import Moment
from triggers.http.requests import Call, Query
from triggers.http.schemas import RefusedJob, Resubmitted, Submitted

logger = logging.getLogger(__name__)

resource = Resource("Submission", "Start jobs, and start ended ones again.")

_ASK_AGAIN_SECONDS = "1"
_SUBMITTED = {HTTPStatus.ACCEPTED: Submitted}


class SubmitQuery(Query):
    """How a job is submitted."""

    rerun: bool = Field(default=False, description="Run a job again that is completed.")
    priority: int = Field(default=5, ge=0, le=9, description="0 to 9, 9 most urgent.")


@resource.route(
    "POST",
    "jobs/submit/{job_type}",
    Contract(
        query=SubmitQuery,
        answers=_SUBMITTED | {HTTPStatus.OK: Submitted},
        problems=(
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.TOO_MANY_REQUESTS,
        ),
        takes_parameters=True,
    ),
)
def submit_job(call: Call[SubmitQuery]) -> Reply:
    """Submit a job. 202: a new job, or a new revision of one; 200: the same job is there.

    The body holds the parameters, one flat JSON object; `GET /jobs/types/{job_type}` has its schema.
    A job is identified by its type and its parameters, so that a repetition finds the first.
    """
    job_type = call.http.route_params["job_type"]
    app().registry.job(job_type)
    parameters = json_object(call.http, app().settings.api.max_body_bytes)
    receipt = app().submission.submit(
        SubmitRequest(
            job_type=job_type,
            parameters=parameters,
            priority=call.query.priority,
            rerun=call.query.rerun,
            requested_by=call.actor,
            traceparent=call.traceparent,
        )
    )
    return _receipt(call, receipt, HTTPStatus.ACCEPTED if receipt.created else HTTPStatus.OK)


@resource.route(
    "POST",
    "jobs/{job_id}/resubmit",
    Contract(
        query=Query,
        answers=_SUBMITTED,
        problems=(
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.TOO_MANY_REQUESTS,
        ),
    ),
)
def resubmit_job(call: Call[Query]) -> Reply:
    """Run a failed, cancelled, partly failed or unpublished job again, as its next revision."""
    return _receipt(call, app().submission.resubmit(call.job_id, call.actor), HTTPStatus.ACCEPTED)


class ResubmitQuery(Query):
    """Which jobs are resubmitted."""

    status: Literal["failed", "cancelled", "completed_with_errors"] = Field(
        default="failed", description="How they ended."
    )
    code: str | None = Field(
        default=None,
        max_length=100,
        description="Code of the error that they ended with. Send the function key, whose name in the "
        "query is the same, in the header x-functions-key.",
        examples=["database.unavailable"],
    )
    job_type: str | None = Field(default=None, max_length=100, pattern=r"^\w+$", description="Their type.")
    submitted_after: Moment | None = Field(default=None, description="When they were submitted, at least.")
    limit: int = Field(default=100, ge=1, le=1_000, description="Most jobs, the newest first.")

    @field_validator("code")
    @classmethod
    def _is_error_code(cls, value: str | None) -> str | None:
        if value is not None and not _looks_like_error_code(value):
            raise ValueError(
                "An error code has a dot, as in raster.crs_missing; a function key goes into the header "
                "x-functions-key here."
            )
        return value


def _looks_like_error_code(value: str) -> bool:
    return "." in value and value.replace(".", "_").isidentifier()


@resource.route(
    "POST", "jobs/resubmit", Contract(query=ResubmitQuery, answers={HTTPStatus.ACCEPTED: Resubmitted})
)
def resubmit_jobs(call: Call[ResubmitQuery]) -> Reply:
    """Run every selected job again; those that cannot run now are listed with the reason."""
    query = call.query
    where = JobFilter(
        status=query.status,
        job_type=query.job_type,
        submitted_after=query.submitted_after,
        code=query.code,
    )
    receipts: list[Receipt] = []
    refused: list[RefusedJob] = []
    for record in app().jobs.list_jobs(where, query.limit, None):
        try:
            receipts.append(app().submission.resubmit(record.job_id, call.actor))
        except (InvalidInput, Conflict, NotFound, TooManyRequests) as error:
            refused.append(RefusedJob(job_id=record.job_id, code=error.code.code, detail=error.message))
    logger.info("jobs resubmitted", extra={"number": len(receipts), "refused": len(refused)})
    items = [views.submitted(receipt, call.base) for receipt in receipts]
    return Reply(Resubmitted(items=items, refused=refused), HTTPStatus.ACCEPTED)


def _receipt(call: Call[Any], receipt: Receipt, status: HTTPStatus) -> Reply:
    body = views.submitted(receipt, call.base)
    headers = {"Location": body.links.self, "Retry-After": _ASK_AGAIN_SECONDS}
    return Reply(body, status, headers)
