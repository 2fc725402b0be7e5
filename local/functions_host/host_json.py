"""What `host.json` says, checked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from local.functions_host.timespan import parse_timespan

DEFAULT_FUNCTION_TIMEOUT: timedelta | None = timedelta(minutes=30)

# Options of the extension's former major version stood one level deeper; the present one ignores them.
_FORMER_SERVICE_BUS_SECTIONS = ("messageHandlerOptions", "sessionHandlerOptions", "batchOptions")

T = TypeVar("T")


@dataclass(frozen=True)
class ServiceBusOptions:
    """Section ``extensions.serviceBus``, with the defaults of bundle 4.x."""

    max_concurrent_calls: int = 16
    prefetch_count: int = 0
    auto_complete: bool = True
    max_lock_renewal: timedelta = timedelta(minutes=5)


@dataclass(frozen=True)
class HostConfig:
    """What of `host.json` matters here.

    Args:
        function_timeout: None lets invocations run for ever.
    """

    route_prefix: str = "api"
    function_timeout: timedelta | None = DEFAULT_FUNCTION_TIMEOUT
    service_bus: ServiceBusOptions = field(default_factory=ServiceBusOptions)
    problems: tuple[str, ...] = ()


def load_host_config(app: Path) -> HostConfig:
    """Read and check ``host.json``; what is wrong is in `problems`, all of it at once."""
    path = app / "host.json"
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return HostConfig(problems=(f"host.json: not found in {app}",))
    except ValueError as error:
        return HostConfig(problems=(f"host.json: {error}",))
    if not isinstance(document, dict):
        return HostConfig(problems=("host.json: expected an object",))
    reader = _Reader(document)
    if document.get("version") != "2.0":
        reader.problems.append('host.json: version must be "2.0"')
    return HostConfig(
        route_prefix=reader.read("extensions.http.routePrefix", _route_prefix, "api"),
        function_timeout=reader.read("functionTimeout", _function_timeout, DEFAULT_FUNCTION_TIMEOUT),
        service_bus=_service_bus(reader),
        problems=tuple(reader.problems),
    )


def _service_bus(reader: "_Reader") -> ServiceBusOptions:
    section = "extensions.serviceBus"
    for former in _FORMER_SERVICE_BUS_SECTIONS:
        if reader.find(f"{section}.{former}") is not None:
            reader.problems.append(f"host.json: {section}.{former} is ignored; set its options in {section}")
    return ServiceBusOptions(
        max_concurrent_calls=reader.read(f"{section}.maxConcurrentCalls", _integer_from(1), 16),
        prefetch_count=reader.read(f"{section}.prefetchCount", _integer_from(0), 0),
        auto_complete=reader.read(f"{section}.autoCompleteMessages", _boolean, True),
        max_lock_renewal=reader.read(
            f"{section}.maxAutoLockRenewalDuration", _timespan, timedelta(minutes=5)
        ),
    )


class _Reader:
    """Takes values out of a document by dotted path and collects what is wrong with them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.problems: list[str] = []

    def find(self, path: str) -> object:
        value: object = self._document
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def read(self, path: str, convert: Callable[[object], T], default: T) -> T:
        value = self.find(path)
        if value is None:
            return default
        try:
            return convert(value)
        except (TypeError, ValueError) as error:
            self.problems.append(f"host.json: {path}: {error}")
            return default


def _route_prefix(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value.strip("/")


def _function_timeout(value: object) -> timedelta | None:
    if value == "-1":
        return None
    duration = _timespan(value)
    if duration < timedelta(seconds=1):
        raise ValueError(f"{value!r} is below one second")
    return duration


def _timespan(value: object) -> timedelta:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string of the form hh:mm:ss")
    return parse_timespan(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is not true or false")
    return value


def _integer_from(least: int) -> Callable[[object], int]:
    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{value!r} is not a whole number from {least}")
        return value

    return convert
