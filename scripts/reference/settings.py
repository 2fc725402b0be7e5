"""Every setting, read from the classes in `config.settings`."""

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import config.settings
from scripts.reference.markdown import generated_page, table

# What the Functions host itself reads.
_PLATFORM = {"FUNCTIONS_WORKER_RUNTIME": "python", "AzureWebJobsStorage": "UseDevelopmentStorage=true"}
_EMULATOR_KEY = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE"
_AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# Values for the official emulators on their usual ports, where the default leaves a choice open.
_EXAMPLES = {
    "POSTGIS_PASSWORD": "postgres",
    "STORAGE_CONNECTION_STRING": (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={_AZURITE_KEY};"
        "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
    ),
    "ServiceBusConnection": f"Endpoint=sb://localhost;{_EMULATOR_KEY};UseDevelopmentEmulator=true;",
}


@dataclass(frozen=True)
class Setting:
    """One environment variable."""

    name: str
    default: str
    description: str
    is_secret: bool


def example(_checkout: Path) -> str:
    """Return `local.settings.example.json`: every setting, for Core Tools and the official emulators."""
    values = dict(_PLATFORM)
    for concern in concerns():
        values |= {
            setting.name: _EXAMPLES.get(setting.name, setting.default) for setting in settings_of(concern)
        }
    return json.dumps({"IsEncrypted": False, "Values": values}, indent=2) + "\n"


def page(_checkout: Path) -> str:
    """Return the page of the settings, one table a concern."""
    return generated_page(
        "Settings",
        "Environment variables, in Azure the function app's application settings. "
        "`local.settings.example.json` names every one of them.",
        map(_section, concerns()),
    )


def concerns() -> list[type[BaseSettings]]:
    """Return the classes of `config.settings` in the order in which they are written."""
    found = (value for value in vars(config.settings).values() if inspect.isclass(value))
    return [value for value in found if issubclass(value, BaseSettings) and value is not BaseSettings]


def settings_of(concern: type[BaseSettings]) -> Iterator[Setting]:
    """Return the settings of one class under the names that the environment knows."""
    prefix = str(concern.model_config.get("env_prefix", ""))
    for name, field in concern.model_fields.items():
        variable = field.alias or f"{prefix}{name}".upper()
        is_secret = "SecretStr" in str(field.annotation)
        yield Setting(variable, _text(_default(field)), field.description or "", is_secret)


def _section(concern: type[BaseSettings]) -> str:
    rows = [
        (f"`{setting.name}`", f"`{setting.default}`" if setting.default else "", _describe(setting))
        for setting in settings_of(concern)
    ]
    summary = (concern.__doc__ or "").strip()
    return f"## {concern.__name__}\n\n{summary}\n\n{table(('name', 'default', 'meaning'), rows)}"


def _describe(setting: Setting) -> str:
    return f"{setting.description} Secret." if setting.is_secret else setting.description


def _default(field: FieldInfo) -> Any:
    if field.is_required():
        return None
    return field.get_default(call_default_factory=True)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value)
