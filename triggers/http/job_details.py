"""A job's tasks, its history, and the answer to the question why."""

from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from core.ports.engine import TaskFilter
from core.states import TaskStatus
from core.why import why
from triggers.bootstrap import app
from triggers.error_catalogue import complete
from triggers.http import views
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.jobs import job_record
from triggers.http.paging import EVENT_ID, STAGE_AND_KEY, PageQuery, page, start
from triggers.http.requests import Call, Query
from triggers.http.schemas import Event, Explanation, Page, Task

resource = Resource("Inside a job", "Tasks, history, and what a job waits for.")


def _comma_separated(value: Any) -> Any:
    return frozenset(part.strip() for part in value.split(",")) if isinstance(value, str) else value


class TasksQuery(PageQuery):
    """Which tasks a list has, and how much of each."""

    stage: int | None = Field(default=None, ge=0, le=1_000, description="Tasks of this stage, from 1.")
    status: TaskStatus | None = Field(default=None, description="Tasks in this state.")
    kind: Literal["work", "plan", "cleanup"] = Field(
        default="work", description="Work is what ledgers count; a plan makes a stage's tasks."
    )
    include: Annotated[frozenset[Literal["parameters", "result"]], BeforeValidator(_comma_separated)] = Field(
        default=frozenset(), description="Bulky fields to show: parameters, result, or both with a comma."
    )


TASKS_CONTRACT = Contract(
    query=TasksQuery, answers={HTTPStatus.OK: Page[Task]}, problems=(HTTPStatus.NOT_FOUND,)
)


@resource.route("GET", "jobs/{job_id}/tasks", TASKS_CONTRACT)
def list_tasks(call: Call[TasksQuery]) -> Reply:
    """List the tasks of a job's present revision, last stage first."""
    return show_tasks(call)


def show_tasks(call: Call[TasksQuery]) -> Reply:
    """Return a page of tasks."""
    query = call.query
    job_id = job_record(call.job_id).job_id
    include = frozenset[str](query.include)
    where = TaskFilter(stage=query.stage, status=query.status, kind=query.kind, include=include)
    records = app().tasks.list_tasks(job_id, where, query.limit + 1, start(query, STAGE_AND_KEY))
    return Reply(
        page(call, records, lambda task: views.task(task, include), lambda task: [task.stage, task.key])
    )


@resource.route(
    "GET",
    "jobs/{job_id}/events",
    Contract(query=PageQuery, answers={HTTPStatus.OK: Page[Event]}, problems=(HTTPStatus.NOT_FOUND,)),
)
def list_events(call: Call[PageQuery]) -> Reply:
    """Return a job's history over all its revisions, oldest first."""
    query = call.query
    job_id = job_record(call.job_id).job_id
    records = app().jobs.events(job_id, query.limit + 1, start(query, EVENT_ID) or 0)
    return Reply(page(call, records, views.event, lambda event: event.event_id))


@resource.route(
    "GET",
    "jobs/{job_id}/why",
    Contract(query=Query, answers={HTTPStatus.OK: Explanation}, problems=(HTTPStatus.NOT_FOUND,)),
)
def explain_job(call: Call[Query]) -> Reply:
    """Say what a job waits for, or why it ended, and what to do."""
    record = job_record(call.job_id)
    told = replace(record, error=record.error and complete(record.error))
    answer = why(told, app().tasks, datetime.now(UTC))
    return Reply(
        Explanation(job_id=record.job_id, status=record.status, code=answer.code, sentence=answer.sentence)
    )
