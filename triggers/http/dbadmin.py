"""For operators: the engine's rows, and the pause."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal

import azure.functions as func
from pydantic import AwareDatetime, Field, TypeAdapter

from core import codes
from core.errors import Violation
from core.states import TaskStatus
from infrastructure.diagnostics import AnyTaskFilter, TaskCursor
from triggers.bootstrap import app
from triggers.http import views
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.errors import BadRequest
from triggers.http.job_details import TASKS_CONTRACT, TasksQuery, show_tasks
from triggers.http.jobs import JOB_CONTRACT, JOBS_CONTRACT, JobQuery, JobsQuery, show_job, show_jobs
from triggers.http.paging import Moment, PageQuery, page, start
from triggers.http.requests import Call, Query
from triggers.http.schemas import Page, Pause, Task

resource = Resource("Operation", "For operators: the engine's rows, and the pause.")

_ANY_TASK: TypeAdapter[TaskCursor] = TypeAdapter(tuple[AwareDatetime, str, int, str, str])


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


class AnyTasksQuery(PageQuery):
    """Which tasks a list over all jobs has."""

    status: TaskStatus | None = Field(default=None, description="Tasks in this state.")
    lane: Literal["light", "heavy"] | None = Field(default=None, description="Tasks of this lane.")
    task_type: str | None = Field(
        default=None, max_length=100, pattern=r"^\w+$", description="Tasks of this type."
    )


@resource.route("GET", "dbadmin/tasks", Contract(query=AnyTasksQuery, answers={HTTPStatus.OK: Page[Task]}))
def dbadmin_list_all_tasks(call: Call[AnyTasksQuery]) -> Reply:
    """List tasks of every kind over all jobs, those of the newest job first."""
    query = call.query
    where = AnyTaskFilter(query.status, query.lane, query.task_type)
    found = app().diagnostics.tasks(where, query.limit + 1, start(query, _ANY_TASK))
    return Reply(page(call, found, lambda one: views.task(one[0], frozenset()), lambda one: one[1]))


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
    app().pause.begin(call.query.reason.replace("\x00", ""), call.actor, until)
    return _pause_state()


@resource.route(
    "POST",
    "dbadmin/maintenance/resume",
    Contract(query=Query, answers={HTTPStatus.OK: Pause}, level=func.AuthLevel.ADMIN),
)
def resume_claiming(call: Call[Query]) -> Reply:  # noqa: ARG001 - every route is given its call
    """Let tasks be claimed again, and ring every lane."""
    app().pause.resume()
    return _pause_state()


def _pause_state() -> Reply:
    return Reply(Pause.model_validate(app().tasks.pause_state()))
