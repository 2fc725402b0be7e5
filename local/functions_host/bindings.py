"""Reads the bindings of a function, in the JSON form that the real host indexes, into triggers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.functions_host.host_json import HostConfig
from local.functions_host.model import AuthLevel, HttpTrigger, QueueTrigger, TimerTrigger, Trigger
from local.functions_host.ncrontab import parse_schedule
from local.functions_host.routes import parse_template
from local.functions_host.settings import service_bus_connection, substitute

Binding = Mapping[str, Any]

# The real host keeps every route that begins so for itself, also `administration`.
_RESERVED_ROUTES = ("admin", "runtime")


@dataclass(frozen=True)
class BindingContext:
    """What a binding is read against."""

    config: HostConfig
    settings: Mapping[str, str]


def read_trigger(function_name: str, binding: Binding, context: BindingContext) -> Trigger:
    """Read one trigger binding.

    Raises:
        ValueError: The binding is wrong, or of a kind that this host does not serve.
    """
    kind = binding["type"]
    if kind == "httpTrigger":
        return _http_trigger(function_name, binding, context)
    if kind == "serviceBusTrigger":
        return _queue_trigger(binding, context)
    if kind == "timerTrigger":
        return _timer_trigger(binding, context)
    raise ValueError(f"this host serves no {kind}")


def _http_trigger(function_name: str, binding: Binding, context: BindingContext) -> HttpTrigger:
    route = str(binding.get("route") or function_name)
    if route.strip("/").lower().startswith(_RESERVED_ROUTES):
        raise ValueError(
            f"route {route!r} conflicts with the built-in routes {' and '.join(_RESERVED_ROUTES)}"
        )
    prefix = context.config.route_prefix
    try:
        template = parse_template(f"{prefix}/{route}" if prefix else route)
    except ValueError as error:
        raise ValueError(f"route {route!r}: {error}") from error
    return HttpTrigger(
        template=template,
        methods=frozenset(str(method).upper() for method in binding.get("methods") or ()),
        auth_level=AuthLevel(str(binding.get("authLevel") or AuthLevel.FUNCTION).lower()),
    )


def _queue_trigger(binding: Binding, context: BindingContext) -> QueueTrigger:
    if "topicName" in binding:
        raise ValueError("this host serves Service Bus queues, not topics")
    if str(binding.get("cardinality") or "one").lower() != "one":
        raise ValueError("cardinality many is not served; use one message an invocation")
    if binding.get("isSessionsEnabled"):
        raise ValueError("Service Bus sessions are not served")
    return QueueTrigger(
        queue=substitute(str(binding["queueName"]), context.settings),
        connection=service_bus_connection(binding.get("connection"), context.settings),
    )


def _timer_trigger(binding: Binding, context: BindingContext) -> TimerTrigger:
    expression = substitute(str(binding["schedule"]), context.settings)
    use_monitor = binding.get("useMonitor")
    return TimerTrigger(
        schedule=parse_schedule(expression),
        expression=expression,
        run_on_startup=bool(binding.get("runOnStartup")),
        use_monitor=use_monitor is None or bool(use_monitor),
    )
