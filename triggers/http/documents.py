"""The interface's description of itself."""

from http import HTTPStatus

import azure.functions as func

from triggers import openapi
from triggers.bootstrap import VERSION, app
from triggers.http import (
    cleanup,
    dbadmin,
    dbadmin_activity,
    dbadmin_tables,
    health,
    job_details,
    job_types,
    jobs,
    lineage,
    maintenance,
    page,
    servicebus,
    submissions,
    unpublished,
    zombies,
)
from triggers.http.endpoints import JSON_MEDIA_TYPE, Contract, Reply, Resource
from triggers.http.requests import Call, Query

resource = Resource("Documentation", "This description.")

#: Every route there is.
RESOURCES: tuple[Resource, ...] = (
    submissions.resource,
    jobs.resource,
    job_details.resource,
    job_types.resource,
    health.resource,
    dbadmin.resource,
    dbadmin_tables.resource,
    dbadmin_activity.resource,
    zombies.resource,
    unpublished.resource,
    lineage.resource,
    cleanup.resource,
    servicebus.resource,
    maintenance.resource,
    resource,
)

_ANONYMOUS = func.AuthLevel.ANONYMOUS
_PAGE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


@resource.route("GET", "openapi.json", Contract(query=Query, answers={HTTPStatus.OK: None}, level=_ANONYMOUS))
def get_openapi(call: Call[Query]) -> Reply:
    """Return the OpenAPI 3.1 document of this interface."""
    document = openapi.document(RESOURCES, app().registry.jobs.values(), VERSION, call.base)
    return Reply(document, media_type=JSON_MEDIA_TYPE)


@resource.route(
    "GET",
    "docs",
    Contract(query=Query, answers={HTTPStatus.OK: None}, level=_ANONYMOUS, media_type="text/html"),
)
def get_docs(call: Call[Query]) -> Reply:
    """Return this interface's description as a page, with every error code."""
    document = openapi.document(RESOURCES, app().registry.jobs.values(), VERSION, call.base)
    return Reply(page.render(document), headers=_PAGE_HEADERS, media_type="text/html")
