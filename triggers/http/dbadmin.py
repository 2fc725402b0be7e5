"""For operators: the engine's rows, and the pause."""

from datetime import UTC, datetime
from http import HTTPStatus

import azure.functions as func
from pydantic import Field

from core import codes
from core.errors import Violation
from core.machine import LANES
from triggers.bootstrap import app
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.errors import BadRequest
from triggers.http.job_details import TASKS_CONTRACT, TasksQuery, show_tasks
from triggers.http.jobs import JOB_CONTRACT, JOBS_CONTRACT, JobQuery, JobsQuery, show_job, show_jobs
from triggers.http.paging import Moment
from triggers.http.requests import Call, Query
from triggers.http.schemas import Pause

resource = Resource("Operation", "For operators: the engine's rows, and the pause.")


@resource.route("GET", "dbadmin/jobs", JOBS_CONTRACT)
def dbadmin_list_jobs(call: Call[JobsQuery]) -> Reply:
    """List jobs, as `GET /jobs` does."""
    return show_jobs(call)


@resource.route_async("GET", "dbadmin/jobs/{job_id}", JOB_CONTRACT)
async def dbadmin_get_job(call: Call[JobQuery]) -> Reply:
    """Return a job, as `GET /jobs/{job_id}` does."""
    return await show_job(call)


@resource.route("GET", "dbadmin/tasks/{job_id}", TASKS_CONTRACT)
def dbadmin_list_tasks(call: Call[TasksQuery]) -> Reply:
    """List a job's tasks, as `GET /jobs/{job_id}/tasks` does."""
    return show_tasks(call)


class PauseQuery(Query):
    """Why claiming is paused, and for how long."""

    reason: str = Field(default="", max_length=500, description="Shown to whoever asks what is going on.")
    until: Moment | None = Field(default=None, description="When it ends by itself; else by `resume`.")


@resource.route(
    "POST",
    "dbadmin/maintenance/pause",
    Contract(query=PauseQuery, answers={HTTPStatus.OK: Pause}, level=func.AuthLevel.ADMIN),
)
def pause_claiming(call: Call[PauseQuery]) -> Reply:
    """Let nothing be claimed, plans neither; what runs ends, and submission goes on."""
    until = call.query.until
    if until is not None and until <= datetime.now(UTC):
        violation = Violation("until", "It must lie in the future.", until)
        raise BadRequest(codes.QUERY_INVALID, f"until: {violation.message}", (violation,))
    app().tasks.pause(call.query.reason.replace("\x00", ""), call.actor, until)
    return _pause_state()


@resource.route(
    "POST",
    "dbadmin/maintenance/resume",
    Contract(query=Query, answers={HTTPStatus.OK: Pause}, level=func.AuthLevel.ADMIN),
)
def resume_claiming(call: Call[Query]) -> Reply:  # noqa: ARG001 - every route is given its call
    """Let tasks be claimed again, and ring every lane that has work."""
    parts = app()
    parts.tasks.resume()
    for lane in LANES:
        runnable = parts.tasks.runnable(lane, parts.bells.most)
        if runnable:
            parts.bells.ring(lane, runnable)
    return _pause_state()


def _pause_state() -> Reply:
    return Reply(Pause.model_validate(app().tasks.pause_state()))
