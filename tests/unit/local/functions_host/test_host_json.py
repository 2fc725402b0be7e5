"""What host.json may say."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from local.functions_host.host_json import HostConfig, ServiceBusOptions, load_host_config


def load(directory: Path, document: object) -> HostConfig:
    (directory / "host.json").write_text(json.dumps(document))
    return load_host_config(directory)


def test_defaults_are_those_of_the_real_host(tmp_path: Path) -> None:
    config = load(tmp_path, {"version": "2.0"})

    assert config == HostConfig(
        "api", timedelta(minutes=30), ServiceBusOptions(16, 0, True, timedelta(minutes=5))
    )


def test_every_option_that_matters_is_read(tmp_path: Path) -> None:
    service_bus = {
        "maxConcurrentCalls": 1,
        "prefetchCount": 4,
        "autoCompleteMessages": False,
        "maxAutoLockRenewalDuration": "01:05:00",
        "clientRetryOptions": {"mode": "exponential", "maxRetries": 3, "delay": "00:00:00.80"},
    }
    document = {
        "version": "2.0",
        "functionTimeout": "01:00:00",
        "telemetryMode": "OpenTelemetry",
        "extensions": {"http": {"routePrefix": "/v1/"}, "serviceBus": service_bus},
    }

    config = load(tmp_path, document)

    renewal = timedelta(hours=1, minutes=5)
    assert config == HostConfig("v1", timedelta(hours=1), ServiceBusOptions(1, 4, False, renewal))


def test_a_function_timeout_can_be_unlimited(tmp_path: Path) -> None:
    assert load(tmp_path, {"version": "2.0", "functionTimeout": "-1"}).function_timeout is None


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    service_bus = {
        "maxConcurrentCalls": "16",
        "prefetchCount": -1,
        "autoCompleteMessages": "yes",
        "maxAutoLockRenewalDuration": 5,
        "messageHandlerOptions": {"maxConcurrentCalls": 1},
    }
    http = {"routePrefix": 1}

    config = load(
        tmp_path, {"functionTimeout": "24:00:00", "extensions": {"http": http, "serviceBus": service_bus}}
    )

    places = sorted(problem.split(":")[1].split()[0] for problem in config.problems)
    assert places == [
        "extensions.http.routePrefix",
        "extensions.serviceBus.autoCompleteMessages",
        "extensions.serviceBus.maxAutoLockRenewalDuration",
        "extensions.serviceBus.maxConcurrentCalls",
        "extensions.serviceBus.messageHandlerOptions",
        "extensions.serviceBus.prefetchCount",
        "functionTimeout",
        "version",
    ]


@pytest.mark.parametrize(("text", "part"), [("[]", "expected an object"), ("{", "host.json: ")])
def test_a_file_that_is_no_object_is_a_problem(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "host.json").write_text(text)

    [problem] = load_host_config(tmp_path).problems

    assert part in problem


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    [problem] = load_host_config(tmp_path).problems

    assert problem == f"host.json: not found in {tmp_path}"
