import subprocess
from pathlib import Path

import pytest

from config.settings import Settings
from local.environment import (
    Addresses,
    application_environment,
    client_environment,
    export_lines,
    owner_environment,
)
from local.home import Home


@pytest.fixture
def addresses(tmp_path: Path) -> Addresses:
    home = Home(tmp_path / "home with space")
    home.create()
    return Addresses(home, 18080, {"postgres": 18081, "azurite": 18082, "servicebus": 18083})


def test_a_client_gets_these_names_and_no_others(addresses: Addresses) -> None:
    assert list(client_environment(addresses)) == [
        "TERRANE_URL",
        "AZURE_STORAGE_CONNECTION_STRING",
        "DATABASE_URL",
        "BUSINESS_DATABASE_URL",
        "SERVICEBUS_CONNECTION_STRING",
    ]


def test_the_address_of_the_app_ends_without_the_prefix_of_its_routes(addresses: Addresses) -> None:
    assert client_environment(addresses)["TERRANE_URL"] == "http://127.0.0.1:18080"


def test_a_shell_reads_back_every_value() -> None:
    values = {"A": "x;y=z w", "B": "it's $HOME `id`", "C": ""}
    script = "\n".join([*export_lines(values), 'printf "%s\\0%s\\0%s" "$A" "$B" "$C"'])

    printed = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout

    assert printed.split("\0") == list(values.values())


def test_the_app_reads_its_settings_from_what_it_is_given(
    addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in application_environment(addresses).items():
        monkeypatch.setenv(name, value)

    settings = Settings()

    assert (settings.database.port, settings.database.user) == (18081, "terrane_app")
    assert settings.storage.connection_string is not None
    assert ":18082/" in settings.storage.connection_string.get_secret_value()
    assert settings.bus.connection_string is not None
    assert ":18083;" in settings.bus.connection_string.get_secret_value()
    # Each request says where it came in, which need not be where the system listens.
    assert settings.catalogue.public_url == ""


def test_only_migrations_and_maintenance_get_the_owner(addresses: Addresses) -> None:
    app, owner = application_environment(addresses), owner_environment(addresses)

    assert owner["POSTGIS_USER"] == "terrane_owner"
    assert {name for name, value in app.items() if value == owner["POSTGIS_PASSWORD"]} == {
        "MAINTENANCE_PASSWORD"
    }


def test_passwords_are_made_once_and_kept_from_others(addresses: Addresses) -> None:
    first = addresses.home.secret("terrane_app")

    assert addresses.home.secret("terrane_app") == first
    assert addresses.home.secret("terrane_owner") != first
    assert (addresses.home.run / "secrets.json").stat().st_mode & 0o077 == 0
