"""Application settings: the process environment over `local.settings.json`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_SERVICE_BUS_CONNECTION = "AzureWebJobsServiceBus"

_PLACEHOLDER = re.compile(r"%([^%]+)%")


class SettingsProblem(ValueError):
    """A setting is missing or cannot be read."""


@dataclass(frozen=True)
class ServiceBusConnection:
    """How to reach a Service Bus namespace: by connection string, or by identity.

    Args:
        credential: ``managedidentity`` or empty, which means the developer's own sign-in.
        client_id: Client of a user-assigned identity.
    """

    connection_string: str | None = None
    namespace: str | None = None
    credential: str = ""
    client_id: str | None = None


def load_settings(app: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Merge `Values` of ``local.settings.json``, if there is one, under the environment.

    Raises:
        SettingsProblem: There is no such directory, or the file is not what Core Tools would accept.
    """
    if not app.is_dir():
        raise SettingsProblem(f"{app}: no such directory")
    path = app / "local.settings.json"
    if not path.exists():
        return dict(environment)
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except ValueError as error:
        raise SettingsProblem(f"local.settings.json: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("Values", {}), dict):
        raise SettingsProblem("local.settings.json: expected an object with an object 'Values'")
    if document.get("IsEncrypted"):
        raise SettingsProblem("local.settings.json: is encrypted; run `func settings decrypt`")
    return {**_texts(document.get("Values", {})), **environment}


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    nested = [name for name, value in values.items() if isinstance(value, dict | list)]
    if nested:
        raise SettingsProblem(
            f"local.settings.json: Values may hold no objects or lists: {', '.join(nested)}"
        )
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def substitute(text: str, settings: Mapping[str, str]) -> str:
    """Replace each ``%NAME%`` by the setting of that name.

    Raises:
        SettingsProblem: Names every setting that does not exist or is empty.
    """
    missing = [name for name in _PLACEHOLDER.findall(text) if not settings.get(name)]
    if missing:
        raise SettingsProblem(f"{text!r}: no setting {', '.join(missing)}")
    return _PLACEHOLDER.sub(lambda match: settings[match[1]], text)


def service_bus_connection(name: str | None, settings: Mapping[str, str]) -> ServiceBusConnection:
    """Find a connection under `name`, or ``AzureWebJobs`` and `name`, as the real host does.

    Raises:
        SettingsProblem: There is neither a connection string nor a namespace.
    """
    name = name or DEFAULT_SERVICE_BUS_CONNECTION
    for prefix in (name, f"AzureWebJobs{name}"):
        if value := settings.get(prefix):
            return ServiceBusConnection(connection_string=value)
        if namespace := settings.get(f"{prefix}__fullyQualifiedNamespace"):
            return ServiceBusConnection(
                namespace=namespace,
                credential=settings.get(f"{prefix}__credential", ""),
                client_id=settings.get(f"{prefix}__clientId"),
            )
    raise SettingsProblem(f"no setting {name} (connection string) or {name}__fullyQualifiedNamespace")
