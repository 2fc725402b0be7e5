"""Where settings come from and what is filled in from them."""

import json
from pathlib import Path

import pytest

from local.functions_host.settings import (
    ServiceBusConnection,
    SettingsProblem,
    load_settings,
    service_bus_connection,
    substitute,
)


def write(directory: Path, document: object) -> Path:
    (directory / "local.settings.json").write_text(json.dumps(document))
    return directory


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    app = write(tmp_path, {"Values": {"A": "file", "B": 2, "C": True, "D": None}})

    assert load_settings(app, {"A": "environment"}) == {"A": "environment", "B": "2", "C": "true"}


def test_a_file_is_not_needed(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"A": "1"}) == {"A": "1"}


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ([], "an object"),
        ({"Values": []}, "an object"),
        ({"Values": {"A": {}}}, "A"),
        ({"IsEncrypted": True}, "decrypt"),
    ],
)
def test_a_file_that_core_tools_would_not_take_is_refused(
    tmp_path: Path, document: object, part: str
) -> None:
    with pytest.raises(SettingsProblem, match=part):
        load_settings(write(tmp_path, document), {})


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match="gone: no such directory"):
        load_settings(tmp_path / "gone", {})


def test_placeholders_are_filled_in() -> None:
    assert substitute("%A%-x-%B%", {"A": "1", "B": "2"}) == "1-x-2"
    assert substitute("100% sure", {}) == "100% sure"


def test_every_missing_setting_is_named() -> None:
    with pytest.raises(SettingsProblem, match="no setting A, C"):
        substitute("%A% %B% %C%", {"A": "", "B": "2"})


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"Bus": "Endpoint=1"}, ServiceBusConnection(connection_string="Endpoint=1")),
        ({"AzureWebJobsBus": "Endpoint=2"}, ServiceBusConnection(connection_string="Endpoint=2")),
        (
            {
                "Bus__fullyQualifiedNamespace": "n.servicebus.windows.net",
                "Bus__credential": "managedidentity",
                "Bus__clientId": "c",
            },
            ServiceBusConnection(
                namespace="n.servicebus.windows.net", credential="managedidentity", client_id="c"
            ),
        ),
    ],
)
def test_a_connection_is_a_string_or_a_namespace(
    settings: dict[str, str], expected: ServiceBusConnection
) -> None:
    assert service_bus_connection("Bus", settings) == expected


def test_a_missing_connection_says_what_to_set() -> None:
    with pytest.raises(SettingsProblem, match=r"no setting Bus .* or Bus__fullyQualifiedNamespace"):
        service_bus_connection("Bus", {})
