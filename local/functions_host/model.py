"""What the host knows of an app's functions once they are indexed."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from local.functions_host.ncrontab import Schedule
from local.functions_host.routes import Template
from local.functions_host.settings import ServiceBusConnection


class AuthLevel(StrEnum):
    """Which key a request needs when the host asks for keys."""

    ANONYMOUS = "anonymous"  # none
    FUNCTION = "function"  # one of the function, of the host, or the master key
    ADMIN = "admin"  # the master key


@dataclass(frozen=True)
class HttpTrigger:
    """A route; no methods means all."""

    template: Template
    methods: frozenset[str]
    auth_level: AuthLevel


@dataclass(frozen=True)
class QueueTrigger:
    """A Service Bus queue, its name with settings filled in."""

    queue: str
    connection: ServiceBusConnection


@dataclass(frozen=True)
class TimerTrigger:
    """A schedule.

    Args:
        expression: The schedule as text, settings filled in.
        use_monitor: Whether runs are remembered across restarts, so that a missed one is caught up.
    """

    schedule: Schedule
    expression: str
    run_on_startup: bool
    use_monitor: bool


Trigger = HttpTrigger | QueueTrigger | TimerTrigger


@dataclass(frozen=True)
class FunctionSpec:
    """One function of the app.

    Args:
        argument: Name of the parameter that takes the trigger's data.
        wants_context: Whether it has a parameter `context`.
        returns_http: Whether what it returns is the answer to an HTTP request.
    """

    name: str
    call: Callable[..., Any]
    trigger: Trigger
    argument: str
    is_async: bool
    wants_context: bool
    returns_http: bool = False

    def describe(self, base_url: str) -> str:
        """Return one line in the manner of Core Tools."""
        if isinstance(self.trigger, HttpTrigger):
            methods = ",".join(sorted(self.trigger.methods)) or "all"
            return f"{self.name}: [{methods}] {base_url}/{self.trigger.template.text}"
        if isinstance(self.trigger, QueueTrigger):
            return f"{self.name}: serviceBusTrigger {self.trigger.queue}"
        return f"{self.name}: timerTrigger {self.trigger.expression}"
