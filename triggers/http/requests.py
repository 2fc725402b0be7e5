"""Reading requests: query, path, actor, and the address that links begin with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import azure.functions as func
from pydantic import BaseModel, ConfigDict, ValidationError

from core import codes as core_codes
from core.errors import Violation
from triggers.bootstrap import app
from triggers.http import codes
from triggers.http.addresses import origin
from triggers.http.errors import BadRequest

PRINCIPAL_HEADER = "X-MS-CLIENT-PRINCIPAL-NAME"
ACTOR_HEADER = "X-Terrane-Actor"

#: Where the host itself looks for a key; on no route an unknown parameter.
HOST_PARAMETERS = frozenset({"code", "clientId"})

_JOB_ID = re.compile(r"[0-9a-fA-F]{64}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
_MOST_ACTOR_CHARACTERS = 200


class Query(BaseModel):
    """The query parameters of a route; the base class knows none. Others than declared are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Q = TypeVar("Q", bound=Query)


@dataclass(frozen=True)
class Call(Generic[Q]):
    """A request to a route, read.

    Args:
        http: The request as it came.
        query: Its query parameters.
        prefix: The path that every route lies under, e.g. ``/api``.
    """

    http: func.HttpRequest
    query: Q
    prefix: str

    @property
    def base(self) -> str:
        """Return the address of the API, without a slash at its end."""
        return f"{app().settings.catalogue.public_url.rstrip('/') or origin(self.http)}{self.prefix}"

    @property
    def actor(self) -> str:
        """Return who asks: the authenticated principal, else who the client says it is."""
        headers = self.http.headers
        given: str = headers.get(PRINCIPAL_HEADER) or headers.get(ACTOR_HEADER) or ""
        return _CONTROL_CHARACTERS.sub("", given).strip()[:_MOST_ACTOR_CHARACTERS] or "unknown"

    @property
    def traceparent(self) -> str | None:
        """Return the W3C trace context, if it is well-formed."""
        given: str = self.http.headers.get("traceparent", "")
        return given if _TRACEPARENT.fullmatch(given) else None

    @property
    def job_id(self) -> str:
        """Return the job id of the path.

        Raises:
            BadRequest: It is none.
        """
        given: str = self.http.route_params["job_id"]
        if not _JOB_ID.fullmatch(given):
            raise BadRequest(codes.JOB_ID_INVALID, f"{given[:100]!r} is no job id.")
        return given.lower()


def parse_query(model: type[Q], given: Mapping[str, str]) -> Q:
    """Read query parameters.

    Raises:
        BadRequest: Everything that is wrong with them.
    """
    mine = {
        name: value
        for name, value in given.items()
        if name in model.model_fields or name not in HOST_PARAMETERS
    }
    try:
        return model.model_validate(mine)
    except ValidationError as error:
        violations = tuple(_violation(model, dict(found)) for found in error.errors(include_url=False))
        detail = "; ".join(f"{violation.parameter}: {violation.message}" for violation in violations)
        raise BadRequest(core_codes.QUERY_INVALID, detail, violations) from error


def _violation(model: type[Query], found: dict[str, Any]) -> Violation:
    parameter = ".".join(str(part) for part in found["loc"]) or "(query)"
    message = str(found["msg"]).removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields)
        message = f"There is no such query parameter; there are: {known or 'none'}."
    return Violation(parameter, message, None if found["type"] == "missing" else found.get("input"))
