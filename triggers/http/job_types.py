"""What can be submitted."""

from http import HTTPStatus

from triggers.bootstrap import app
from triggers.http import views
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.requests import Call, Query
from triggers.http.schemas import JobTypeDescription, Page

resource = Resource("Job types", "What can be submitted, and with which parameters.")


@resource.route("GET", "jobs/types", Contract(query=Query, answers={HTTPStatus.OK: Page[JobTypeDescription]}))
def list_job_types(call: Call[Query]) -> Reply:
    """List every job type with its stages, the schema of its parameters and its checks."""
    declared = app().registry.jobs
    return Reply(Page(items=[views.job_type(declared[name], call.base) for name in sorted(declared)]))


@resource.route(
    "GET",
    "jobs/types/{job_type}",
    Contract(query=Query, answers={HTTPStatus.OK: JobTypeDescription}, problems=(HTTPStatus.NOT_FOUND,)),
)
def get_job_type(call: Call[Query]) -> Reply:
    """Return one job type."""
    return Reply(views.job_type(app().registry.job(call.http.route_params["job_type"]), call.base))
