"""What is wrong with a request as such, and how errors become `application/problem+json`."""

import logging
import math
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import azure.functions as func

from core.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    TerraneError,
    TooManyRequests,
    TransientError,
    Violation,
)
from core.json import JsonObject, dumps, to_jsonable
from triggers.http import codes
from triggers.http.addresses import origin, prefix_of

logger = logging.getLogger(__name__)

PROBLEM_MEDIA_TYPE = "application/problem+json"

_TRANSIENT_PAUSE = timedelta(seconds=5)
_MOST_VALUE_CHARACTERS = 200


class BadRequest(InvalidInput):
    """The request cannot be read: its body, its query or its path is malformed."""


class ContentTooLarge(InvalidInput):
    """The body is longer than the settings allow."""


class UnsupportedMediaType(InvalidInput):
    """The body is not of a type that is read."""


#: The first entry on the way up from an error's class decides.
STATUS_CODES: Mapping[type[Exception], HTTPStatus] = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    ContentTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass
class Outcome:
    """The response of a request, as far as there is one."""

    response: func.HttpResponse | None = None

    def answer(self) -> func.HttpResponse:
        """Return the response."""
        if self.response is None:
            raise RuntimeError("the request ended without a response")
        return self.response


@contextmanager
def problems_as_json(request: func.HttpRequest, route: str) -> Iterator[Outcome]:
    """Give the outcome a problem as its response if the block raises.

    Args:
        request: The request.
        route: The template that it was sent to.
    """
    outcome = Outcome()
    try:
        yield outcome
    except Exception as error:  # noqa: BLE001 - the edge: a bug is logged here and told to nobody else.
        base = origin(request) + prefix_of(request, route)
        outcome.response = _problem_response(error, request, base)


def status_of(error: Exception) -> HTTPStatus | None:
    """Return the status that an error is answered with; None for what is not ours."""
    return next((STATUS_CODES[cls] for cls in type(error).__mro__ if cls in STATUS_CODES), None)


def _problem_response(error: Exception, request: func.HttpRequest, base: str) -> func.HttpResponse:
    path = urlsplit(request.url).path
    status = status_of(error)
    if status is None or not isinstance(error, TerraneError):
        status, error = HTTPStatus.INTERNAL_SERVER_ERROR, _unexpected(error, request.method, path)
    logger.info("request refused", extra={"path": path, "status": status.value, "code": error.code.code})
    headers = {"Cache-Control": "no-store"}
    if (pause := _retry_after(error)) is not None:
        headers["Retry-After"] = str(math.ceil(pause.total_seconds()))
    return func.HttpResponse(
        dumps(problem(error, status, path, base)),
        status_code=status,
        headers=headers,
        mimetype=PROBLEM_MEDIA_TYPE,
    )


def _unexpected(error: Exception, method: str, path: str) -> TerraneError:
    reference = uuid.uuid4().hex
    logger.error(
        "request failed",
        extra={"method": method, "path": path, "reference": reference},
        exc_info=(type(error), error, error.__traceback__),
    )
    return TerraneError(codes.INTERNAL_ERROR, f"The log has this error under reference {reference}.")


def problem(error: TerraneError, status: HTTPStatus, instance: str, base: str) -> JsonObject:
    """Return an error as RFC 9457 has it, with code, remedy and retryable beside.

    Its `type` is the place in the API's page where the code is described.
    """
    body: JsonObject = {
        "type": f"{base}/docs#errors/{error.code.code}",
        "title": error.code.title,
        "status": status.value,
        "detail": error.message,
        "instance": instance,
        "code": error.code.code,
        "remedy": error.code.remedy,
        "retryable": error.code.retryable,
    }
    if isinstance(error, InvalidInput) and error.violations:
        body["errors"] = [_violation(violation) for violation in error.violations]
    return body | ({"details": error.details} if error.details else {})


def _violation(violation: Violation) -> JsonObject:
    shown: JsonObject = {"parameter": violation.parameter, "message": violation.message}
    if violation.value is not None:
        shown["value"] = _short(violation.value)
    return shown


def _short(value: object) -> object:
    """Return a value as it was given, or the beginning of it where it is long."""
    try:
        text = dumps(value)
    except (TypeError, ValueError):
        text = repr(value)
        return text[:_MOST_VALUE_CHARACTERS]
    return to_jsonable(value) if len(text) <= _MOST_VALUE_CHARACTERS else f"{text[:_MOST_VALUE_CHARACTERS]}…"


def _retry_after(error: TerraneError) -> timedelta | None:
    if isinstance(error, Conflict | TooManyRequests):
        return error.retry_after
    return _TRANSIENT_PAUSE if isinstance(error, TransientError) else None
