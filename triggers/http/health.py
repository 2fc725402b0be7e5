"""Whether the process is up, whether it can work, and how each component is."""

from datetime import timedelta
from http import HTTPStatus

import azure.functions as func

from core.errors import TransientError
from triggers.bootstrap import VERSION, app
from triggers.http import codes
from triggers.http.endpoints import Contract, Reply, Resource
from triggers.http.health_checks import CHECKS, Finding, HealthChecks, Status
from triggers.http.requests import Call, Query
from triggers.http.schemas import Alive, Component, Health, Ready

resource = Resource("Health", "Whether the service is up, and what it lacks.")

_NEEDED = ("database", "bus")
_READY_FOR = timedelta(seconds=5)
_ORDER: tuple[Status, ...] = ("healthy", "degraded", "unhealthy")

_checks = HealthChecks(CHECKS)


@resource.route(
    "GET", "livez", Contract(query=Query, answers={HTTPStatus.OK: Alive}, level=func.AuthLevel.ANONYMOUS)
)
def get_livez(call: Call[Query]) -> Reply:  # noqa: ARG001 - every route is given its call
    """Answer that the process is up; nothing else is asked."""
    return Reply(Alive(status="alive", version=VERSION))


@resource.route(
    "GET", "readyz", Contract(query=Query, answers={HTTPStatus.OK: Ready}, level=func.AuthLevel.ANONYMOUS)
)
def get_readyz(call: Call[Query]) -> Reply:  # noqa: ARG001 - every route is given its call
    """Answer 200 if database and bus answer, else 503; at most 5 seconds old."""
    findings = _checks.run(_NEEDED, _READY_FOR)
    ill = {name: finding for name, finding in findings.items() if finding.facts.status == "unhealthy"}
    if ill:
        told = "; ".join(f"{name}: {finding.facts.detail}" for name, finding in ill.items())
        raise TransientError(codes.NOT_READY, told, components=sorted(ill))
    return Reply(Ready(status="ready", components=_components(findings)))


@resource.route("GET", "health", Contract(query=Query, answers={HTTPStatus.OK: Health}))
def get_health(call: Call[Query]) -> Reply:  # noqa: ARG001 - every route is given its call
    """Return each component with status, version and latency, and the number of violations.

    It is asked for by people and dashboards and always answers 200; probes ask `readyz`.
    """
    findings = _checks.run(CHECKS)
    return Reply(
        Health(
            status=max((finding.facts.status for finding in findings.values()), key=_ORDER.index),
            version=app().version,
            violations=findings["engine"].facts.violations,
            components=_components(findings),
        )
    )


def _components(findings: dict[str, Finding]) -> dict[str, Component]:
    return {
        name: Component(
            status=finding.facts.status,
            version=finding.facts.version,
            latency_ms=round(finding.latency.total_seconds() * 1000, 1),
            detail=finding.facts.detail,
        )
        for name, finding in findings.items()
    }
