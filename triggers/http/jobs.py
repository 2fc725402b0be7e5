"""Asking about jobs, and cancelling them."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from pydantic import Field

from core import codes
from core.errors import Conflict, NotFound, TerraneError
from core.models.records import JobRecord
from core.ports.engine import JobFilter
from core.states import JobStatus
from triggers.bootstrap import app
from triggers.http import views
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.paging import NEWEST_FIRST, Moment, PageQuery, page, start
from triggers.http.requests import Call, Query
from triggers.http.schemas import Job, JobInList, Page
from triggers.http.waiting import EndedJobs

resource = Resource("Jobs", "What became of jobs, and how to stop them.")


def _statuses(job_ids: Sequence[str]) -> Mapping[str, str]:
    statuses: Mapping[str, str] = app().jobs.statuses(job_ids)
    return statuses


_ended = EndedJobs(_statuses)


class JobQuery(Query):
    """How long an answer may take."""

    wait: float = Field(
        default=0,
        ge=0,
        le=60,
        allow_inf_nan=False,
        description="Seconds to wait for the job's end; the answer comes as soon as it has ended, or then.",
    )


JOB_CONTRACT = Contract(query=JobQuery, answers={HTTPStatus.OK: Job}, problems=(HTTPStatus.NOT_FOUND,))


@resource.route_async("GET", "jobs/status/{job_id}", JOB_CONTRACT)
async def get_job_status(call: Call[JobQuery]) -> Reply:
    """Return a job at its present revision, with its stages and their ledgers."""
    return await show_job(call)


@resource.route_async("GET", "jobs/{job_id}", JOB_CONTRACT)
async def get_job(call: Call[JobQuery]) -> Reply:
    """Return a job at its present revision, with its stages and their ledgers."""
    return await show_job(call)


async def show_job(call: Call[JobQuery]) -> Reply:
    """Return a job, after waiting for its end if that was asked for."""
    job_id = call.job_id
    record = await asyncio.to_thread(job_record, job_id)
    seconds = min(call.query.wait, app().settings.api.max_wait_seconds)
    if seconds > 0 and not record.ended:
        await _ended.wait(job_id, seconds)
        record = await asyncio.to_thread(job_record, job_id)
    return Reply(views.job(record, call.base))


def job_record(job_id: str) -> JobRecord:
    """Return a job.

    Raises:
        NotFound: There is none.
    """
    record: JobRecord | None = app().jobs.get(job_id)
    if record is None:
        raise unknown_job(job_id)
    return record


def unknown_job(job_id: str) -> NotFound:
    """Return the error that says that there is no such job."""
    return NotFound(codes.JOB_UNKNOWN, f"There is no job {job_id}.")


class JobsQuery(PageQuery):
    """Which jobs a list has."""

    status: JobStatus | None = Field(default=None, description="Jobs in this state.")
    job_type: str | None = Field(
        default=None, max_length=100, pattern=r"^\w+$", description="Jobs of this type."
    )
    submitted_after: Moment | None = Field(default=None, description="Submitted then or later, RFC 3339.")
    submitted_before: Moment | None = Field(default=None, description="Submitted before then, RFC 3339.")


JOBS_CONTRACT = Contract(query=JobsQuery, answers={HTTPStatus.OK: Page[JobInList]})


@resource.route("GET", "jobs", JOBS_CONTRACT)
def list_jobs(call: Call[JobsQuery]) -> Reply:
    """List jobs, newest first, without their stages."""
    return show_jobs(call)


def show_jobs(call: Call[JobsQuery]) -> Reply:
    """Return a page of jobs."""
    query = call.query
    where = JobFilter(
        status=query.status,
        job_type=query.job_type,
        submitted_after=query.submitted_after,
        submitted_before=query.submitted_before,
    )
    records = app().jobs.list_jobs(where, query.limit + 1, start(query, NEWEST_FIRST))
    base = call.base
    return Reply(
        page(
            call, records, lambda job: views.job_in_list(job, base), lambda job: [job.created_at, job.job_id]
        )
    )


class CancelQuery(Query):
    """Why a job is cancelled."""

    reason: str = Field(default="", max_length=500, description="Kept with the job, for people.")


@resource.route(
    "POST",
    "jobs/{job_id}/cancel",
    Contract(
        query=CancelQuery,
        answers={HTTPStatus.ACCEPTED: Job},
        problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
)
def cancel_job(call: Call[CancelQuery]) -> Reply:
    """Cancel a job: queued tasks go at once, running ones with their next heartbeat."""
    job_id, actor = call.job_id, call.actor
    reason = call.query.reason.replace("\x00", "").strip()
    message = f"Cancelled by {actor}: {reason}" if reason else f"Cancelled by {actor}."
    error = TerraneError(codes.JOB_CANCELLED, message).as_json()
    answer = app().cancellation.cancel(job_id, error, actor)
    if answer == "unknown":
        raise unknown_job(job_id)
    if answer == "ended":
        raise Conflict(codes.JOB_ENDED, f"Job {job_id} is {job_record(job_id).status}.")
    return Reply(views.job(job_record(job_id), call.base), HTTPStatus.ACCEPTED)
