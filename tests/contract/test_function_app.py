"""What the real host would index: complete, valid, and described everywhere in the same words."""

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from azure.functions.decorators.function_app import Function

import function_app
from config.settings import BusSettings, JanitorSettings
from jobs import ALL_JOBS
from local.functions_host.ncrontab import parse_schedule
from local.functions_host.routes import parse_template
from triggers import openapi
from triggers.http.documents import RESOURCES

CHECKOUT = Path(__file__).resolve().parents[2]
SETTING = re.compile(r"%(\w+)%")
DOCUMENTED = re.compile(r"^\| `(\w+) /(\S+)` \| (\w+) \|", re.MULTILINE)

ROUTES = {
    ("POST", "jobs/submit/{job_type}", "function"),
    ("POST", "jobs/{job_id}/resubmit", "function"),
    ("POST", "jobs/resubmit", "function"),
    ("GET", "jobs/status/{job_id}", "function"),
    ("GET", "jobs/{job_id}", "function"),
    ("GET", "jobs", "function"),
    ("POST", "jobs/{job_id}/cancel", "function"),
    ("GET", "jobs/{job_id}/tasks", "function"),
    ("GET", "jobs/{job_id}/events", "function"),
    ("GET", "jobs/{job_id}/why", "function"),
    ("GET", "jobs/types", "function"),
    ("GET", "jobs/types/{job_type}", "function"),
    ("GET", "livez", "anonymous"),
    ("GET", "readyz", "anonymous"),
    ("GET", "health", "function"),
    ("GET", "dbadmin/jobs", "function"),
    ("GET", "dbadmin/jobs/{job_id}", "function"),
    ("GET", "dbadmin/tasks/{job_id}", "function"),
    ("GET", "dbadmin/tasks", "function"),
    ("GET", "dbadmin/schemas", "function"),
    ("GET", "dbadmin/schemas/{schema}/tables", "function"),
    ("GET", "dbadmin/tables/{table}", "function"),
    ("GET", "dbadmin/tables/{table}/columns", "function"),
    ("GET", "dbadmin/tables/{table}/indexes", "function"),
    ("GET", "dbadmin/tables/{table}/sample", "function"),
    ("GET", "dbadmin/queries/running", "function"),
    ("GET", "dbadmin/queries/slow", "function"),
    ("GET", "dbadmin/locks", "function"),
    ("GET", "dbadmin/connections", "function"),
    ("GET", "dbadmin/health", "function"),
    ("GET", "dbadmin/stats", "function"),
    ("GET", "dbadmin/diagnostics/all", "function"),
    ("GET", "servicebus/queues", "admin"),
    ("GET", "servicebus/queues/{queue}", "admin"),
    ("GET", "servicebus/queues/{queue}/peek", "admin"),
    ("GET", "servicebus/queues/{queue}/deadletter", "admin"),
    ("POST", "dbadmin/maintenance/full-rebuild", "admin"),
    ("POST", "dbadmin/maintenance/redeploy", "admin"),
    ("POST", "dbadmin/maintenance/pgstac/redeploy", "admin"),
    ("POST", "dbadmin/maintenance/cleanup", "admin"),
    ("GET", "dbadmin/zombie-tasks", "function"),
    ("GET", "dbadmin/unpublished", "function"),
    ("GET", "lineage/{collection_id}/{item_id}", "function"),
    ("POST", "cleanup/run", "admin"),
    ("GET", "cleanup/status", "function"),
    ("GET", "cleanup/history", "function"),
    ("POST", "dbadmin/maintenance/pause", "admin"),
    ("POST", "dbadmin/maintenance/resume", "admin"),
    ("GET", "openapi.json", "anonymous"),
    ("GET", "docs", "anonymous"),
}

#: Routes of whole APIs, which describe themselves below their prefix.
API_ROUTES = {
    ("GET", "stac/{*path}", "function"),
    ("HEAD", "stac/{*path}", "function"),
    ("OPTIONS", "stac/{*path}", "function"),
    ("POST", "stac/search", "function"),
    ("GET", "features/{*path}", "function"),
    ("HEAD", "features/{*path}", "function"),
    ("OPTIONS", "features/{*path}", "function"),
    ("GET", "raster/{*path}", "function"),
    ("HEAD", "raster/{*path}", "function"),
    ("OPTIONS", "raster/{*path}", "function"),
    ("POST", "raster/{*path}", "function"),
}


@cache
def functions() -> dict[str, Function]:
    # The library lets an app be indexed once.
    return {str(function.get_function_name()): function for function in function_app.app.get_functions()}


def bindings(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the bindings of a type, as the host gets them, with their functions' names."""
    for name, function in functions().items():
        for binding in json.loads(function.get_function_json())["bindings"]:
            if binding["type"] == kind:
                yield name, binding


@cache
def example_settings() -> dict[str, str]:
    settings: dict[str, str] = json.loads((CHECKOUT / "local.settings.example.json").read_text())["Values"]
    return settings


def substituted(text: str) -> str:
    return SETTING.sub(lambda match: example_settings()[match[1]], text)


def test_every_route_is_served_with_its_key_and_no_other() -> None:
    served = [
        (method, binding["route"], binding["authLevel"].lower())
        for _, binding in bindings("httpTrigger")
        for method in binding["methods"]
    ]

    assert set(served) == ROUTES | API_ROUTES
    assert len(served) == len(ROUTES | API_ROUTES)


def test_every_http_function_answers_by_its_return_value() -> None:
    assert {name for name, binding in bindings("http") if binding["name"] == "$return"} == {
        name for name, _ in bindings("httpTrigger")
    }


def test_no_route_is_one_that_the_host_keeps_for_itself() -> None:
    for _, binding in bindings("httpTrigger"):
        parse_template(f"api/{binding['route']}")
        assert not binding["route"].startswith(("admin", "runtime"))


def test_names_differ_for_a_host_that_ignores_case() -> None:
    names = [name.lower() for name in functions()]

    assert len(set(names)) == len(names)


def test_every_function_takes_what_its_trigger_gives() -> None:
    for name, function in functions().items():
        trigger = function.get_trigger()
        assert trigger is not None
        call = function.get_user_function()
        assert list(inspect.signature(call).parameters) == [trigger.name], name
        assert call.__name__ == name
        assert call.__doc__


def test_the_lanes_queues_are_served() -> None:
    served = dict(bindings("serviceBusTrigger"))

    assert {substituted(binding["queueName"]) for binding in served.values()} == {
        BusSettings().light_queue,
        BusSettings().heavy_queue,
    }
    assert {binding["connection"] for binding in served.values()} == {"ServiceBusConnection"}


def test_the_timers_keep_their_schedules() -> None:
    schedules = {name: substituted(binding["schedule"]) for name, binding in bindings("timerTrigger")}

    assert schedules == JanitorSettings().schedules
    for schedule in schedules.values():
        parse_schedule(schedule)


def test_no_two_sweeps_begin_in_one_minute_and_their_periods_are_those_of_their_schedules() -> None:
    janitor = JanitorSettings()
    midnight = datetime(2024, 5, 1, tzinfo=UTC)
    begins: dict[str, list[datetime]] = {}
    for name, text in janitor.schedules.items():
        moment, schedule = midnight, parse_schedule(text)
        while (moment := schedule.next_after(moment)) <= midnight + timedelta(days=2):
            begins.setdefault(name, []).append(moment)

    for name, moments in begins.items():
        assert {after - before for before, after in pairwise(moments)} == {janitor.periods[name]}
    taken = [moment.replace(second=0) for moments in begins.values() for moment in moments]
    assert len(set(taken)) == len(taken)


def test_every_setting_that_a_binding_names_is_in_the_example() -> None:
    texts = [function.get_function_json() for function in functions().values()]

    named = {setting for text in texts for setting in SETTING.findall(text)}
    named |= {binding["connection"] for _, binding in bindings("serviceBusTrigger")}
    assert named
    assert named <= set(example_settings())


def test_openapi_describes_exactly_what_is_served() -> None:
    document = openapi.document(RESOURCES, ALL_JOBS, "0", "https://terrane.test/api")

    described = {
        (
            method.upper(),
            path[1:],
            operation["operationId"],
            operation.get("x-auth-level", "anonymous").lower(),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert described == {
        (method, binding["route"], name, binding["authLevel"].lower())
        for name, binding in bindings("httpTrigger")
        for method in binding["methods"]
        if (method, binding["route"], binding["authLevel"].lower()) not in API_ROUTES
    }


def test_the_reference_lists_exactly_what_is_served() -> None:
    text = (CHECKOUT / "docs" / "reference" / "http-api.md").read_text("utf-8")

    documented = {
        (method, route, "anonymous" if key == "none" else key)
        for method, route, key in DOCUMENTED.findall(text)
    }
    assert documented == ROUTES


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_every_query_parameter_is_described(resource: Any) -> None:
    for endpoint in resource.endpoints:
        for name, field in endpoint.contract.query.model_fields.items():
            assert field.description, f"{endpoint.path}: {name}"


def in_a_process_of_its_own(code: str, **variables: str) -> str:
    environment = os.environ | variables
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_app_imports_none_of_the_reading_apis_libraries() -> None:
    libraries = ("fastapi", "starlette", "stac_fastapi", "tipg", "titiler", "rasterio", "asyncpg")

    loaded = in_a_process_of_its_own(
        f"import sys, function_app; print([n for n in {libraries} if n in sys.modules])"
    )

    assert loaded.strip() == "[]"


def routes_with(**variables: str) -> set[tuple[str, str, str]]:
    """Return method, route and level of the key."""
    code = (
        "import json, function_app\n"
        "for function in function_app.app.get_functions():\n"
        "    for binding in json.loads(function.get_function_json())['bindings']:\n"
        "        if binding['type'] == 'httpTrigger':\n"
        "            for method in binding['methods']:\n"
        "                print(method.upper(), binding['route'], binding['authLevel'].lower())\n"
    )
    lines = in_a_process_of_its_own(code, **variables).splitlines()
    return {(method, route, level) for method, route, level in map(str.split, lines)}


def test_each_reading_api_can_be_left_out() -> None:
    served = routes_with(CATALOGUE_APIS='["features"]')

    assert {route for _, route, _ in served if "*" in route} == {"features/{*path}"}


def test_reading_without_a_key_never_lets_anybody_write() -> None:
    served = routes_with(CATALOGUE_KEYED="false", CATALOGUE_TRANSACTIONS="true")

    anonymous = {(method, route) for method, route, level in served if level == "anonymous"}
    methods = {
        (method, route)
        for route in ("stac/{*path}", "features/{*path}", "raster/{*path}")
        for method in ("GET", "HEAD", "OPTIONS")
    }
    own = {("GET", "livez"), ("GET", "readyz"), ("GET", "openapi.json"), ("GET", "docs")}
    assert anonymous == methods | own | {("POST", "stac/search")}
    assert ("POST", "stac/collections/{*path}", "function") in served
    # A POST may register a search, which is a row of the catalogue.
    assert ("POST", "raster/{*path}", "function") in served


def test_importing_the_app_opens_no_connection() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*arguments): raise AssertionError(f'connects at import: {arguments}')\n"
        "socket.socket.connect = refuse\n"
        "import function_app\n"
        "from triggers.bootstrap import application\n"
        "sys.exit(application._app is not None)\n"
    )

    assert (
        subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, timeout=120, check=False).returncode == 0
    )
