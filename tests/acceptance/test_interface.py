"""Schemathesis against every route of a running system: no 5xx, every answer as it is described."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from jobs import ALL_JOBS
from tests.factories.local_system import RunningSystem, running_system
from tests.factories.stac import item
from triggers import openapi
from triggers.bootstrap import VERSION
from triggers.http.documents import RESOURCES

# Nothing is worked on, so that what is submitted waits and no answer depends on when it is given.
_SETTINGS = {"ENGINE_SERVE_LANES": "[]", "API_MAX_WAIT_SECONDS": "0"}
_CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
_DETERMINISTIC: dict[str, Any] = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}

schema = schemathesis.openapi.from_dict(
    openapi.document(RESOURCES, ALL_JOBS, VERSION, "http://terrane.test/api")
)


@pytest.fixture(scope="module")
def idle_system() -> Iterator[RunningSystem]:
    with running_system(_SETTINGS) as system:
        yield system


@pytest.fixture
def present(idle_system: RunningSystem) -> dict[str, str]:
    """What the parameters of paths can name: things that are there."""
    job = idle_system.submit("hello_world", n=2, message="Interface")
    tile = item("interface", "system-rasters")
    idle_system.query("SELECT pgstac.upsert_item(%s::jsonb)", json.dumps(tile))
    return {
        "collection_id": tile["collection"],
        "item_id": tile["id"],
        "job_id": job.body["job_id"],
        "job_type": "hello_world",
        "schema": "app",
        "table": "app.jobs",
        "queue": "terrane-light",
    }


@schema.parametrize()
@settings(max_examples=15, **_DETERMINISTIC)
def test_every_route_answers_as_it_is_described(case: schemathesis.Case, idle_system: RunningSystem) -> None:
    case.call_and_validate(base_url=address(idle_system), checks=[*_CHECKS, checks.negative_data_rejection])


@schema.include(path_regex="{").parametrize()
@settings(max_examples=3, **_DETERMINISTIC)
def test_what_is_there_is_shown_as_it_is_described(
    case: schemathesis.Case, idle_system: RunningSystem, present: dict[str, str]
) -> None:
    case.path_parameters = {name: present[name] for name in case.path_parameters}

    case.call_and_validate(base_url=address(idle_system), checks=_CHECKS)


def address(system: RunningSystem) -> str:
    return f"{system.variables['TERRANE_URL']}/api"
