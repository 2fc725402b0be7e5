"""Error codes of the reading APIs, whose libraries tell a status and a sentence."""

from http import HTTPStatus

from core.errors import ErrorCode

API_UNAVAILABLE = ErrorCode(
    "api.unavailable",
    "The API cannot answer now",
    "Try again after the time in `Retry-After`; /api/health shows each component.",
    retryable=True,
)
API_REFUSED = ErrorCode(
    "api.refused",
    "The request cannot be answered as it is",
    "Correct what `detail` and `errors` name; the API's own description is at its /api.html.",
)
API_NOT_FOUND = ErrorCode(
    "api.not_found",
    "There is nothing at this address",
    "Follow the links from the API's landing page; what was unpublished is gone.",
)
API_CONFLICT = ErrorCode(
    "api.conflict",
    "The request contradicts what is there",
    "Look at what `detail` names, then ask for something else.",
)
API_FAILED = ErrorCode(
    "api.failed",
    "An unexpected error",
    "This is a bug: report it with the reference in `detail`, under which the log has it.",
)

_BY_STATUS = {
    HTTPStatus.NOT_FOUND: API_NOT_FOUND,
    HTTPStatus.CONFLICT: API_CONFLICT,
    HTTPStatus.SERVICE_UNAVAILABLE: API_UNAVAILABLE,
}


def code_of(status: int) -> ErrorCode:
    """Return the code of an error that a library told by its status only."""
    return _BY_STATUS.get(HTTPStatus(status), API_REFUSED if status < 500 else API_FAILED)
