"""Environment variables: what the app's processes get, and what points a client at the system."""

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from local import postgres
from local.azurite import Azurite
from local.binaries import CHECKOUT
from local.home import Home
from local.ports import LOOPBACK
from local.postgres import PostgresServer

# Names every setting, with the default of each.
EXAMPLE_SETTINGS = CHECKOUT / "local.settings.example.json"
# The emulator checks the form of a key, not its value.
_BUS_KEY = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE"


@dataclass(frozen=True)
class Addresses:
    """Where the servers of one system answer.

    Args:
        home: The system's home.
        http_port: Port of the Functions host.
        ports: Port of every other server by its name.
    """

    home: Home
    http_port: int
    ports: Mapping[str, int]

    @property
    def url(self) -> str:
        """Return the address of the Functions host, without ``/api``."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def postgres(self) -> PostgresServer:
        """Return the database server."""
        return PostgresServer(self.home, self.ports["postgres"])

    @property
    def azurite(self) -> Azurite:
        """Return the blob service."""
        return Azurite(self.home, self.ports["azurite"])

    @property
    def bus_connection_string(self) -> str:
        """Return what Service Bus clients need to reach the emulator."""
        endpoint = f"Endpoint=sb://{LOOPBACK}:{self.ports['servicebus']}"
        return f"{endpoint};{_BUS_KEY};UseDevelopmentEmulator=true;"


def application_environment(addresses: Addresses) -> dict[str, str]:
    """Return the settings of the app, as a deployment would have them."""
    storage = addresses.azurite.connection_string
    return {
        **_defaults(),
        **_database_settings(addresses, postgres.APP),
        "MAINTENANCE_USER": postgres.OWNER,
        "MAINTENANCE_PASSWORD": addresses.home.secret(postgres.OWNER),
        "STORAGE_CONNECTION_STRING": storage,
        "AzureWebJobsStorage": storage,
        "ServiceBusConnection": addresses.bus_connection_string,
        "ENGINE_WORKSPACE": str(addresses.home.root / "workspace"),
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "PYTHONUNBUFFERED": "1",
    }


def owner_environment(addresses: Addresses) -> dict[str, str]:
    """Return the app's settings with the role that owns the schemas, for migrations only."""
    return {**application_environment(addresses), **_database_settings(addresses, postgres.OWNER)}


def client_environment(addresses: Addresses) -> dict[str, str]:
    """Return what points a client, a test or a benchmark at the system."""
    server = addresses.postgres
    return {
        "TERRANE_URL": addresses.url,
        "AZURE_STORAGE_CONNECTION_STRING": addresses.azurite.connection_string,
        "DATABASE_URL": server.url(postgres.OWNER, postgres.APP_DATABASE),
        "BUSINESS_DATABASE_URL": server.url(postgres.OWNER, postgres.BUSINESS_DATABASE),
        "SERVICEBUS_CONNECTION_STRING": addresses.bus_connection_string,
    }


def export_lines(variables: Mapping[str, str]) -> list[str]:
    """Return one line a variable that a shell can evaluate."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def _defaults() -> dict[str, str]:
    """Return every setting's default, or what the caller's environment says of it."""
    values: dict[str, str] = json.loads(EXAMPLE_SETTINGS.read_text(encoding="utf-8"))["Values"]
    return {name: os.environ.get(name, value) for name, value in values.items()}


def _database_settings(addresses: Addresses, user: str) -> dict[str, str]:
    return {
        "POSTGIS_HOST": LOOPBACK,
        "POSTGIS_PORT": str(addresses.postgres.port),
        "POSTGIS_DATABASE": postgres.APP_DATABASE,
        "POSTGIS_USER": user,
        "POSTGIS_PASSWORD": addresses.home.secret(user),
        "POSTGIS_SSLMODE": "disable",
    }
