"""Errors of the libraries' apps, turned into this interface's problems on their way out.

The members that clients of these standards look for stay: `code` and `description` are what STAC
and OGC APIs answer, so one body serves them and RFC 9457.
"""

import json
import logging
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from core.json import JsonObject, dumps
from triggers.apis.codes import code_of
from triggers.http.errors import PROBLEM_MEDIA_TYPE

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]

_RETRY_AFTER = b"5"


class ProblemBodies:
    """The `send` of one request: it passes answers on, and rewrites errors.

    Args:
        path: Path of the request.
        base: Address of the interface, of which /docs describes the codes.
        send: Where answers go.
    """

    def __init__(self, path: str, base: str, send: Callable[[Message], Awaitable[None]]) -> None:
        self._path = path
        self._base = base
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Take one ASGI message of the answer."""
        if message["type"] == "http.response.start" and message["status"] >= 400:
            self._start = message
        elif self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_problem(self._start)
        else:
            # The key may be missing where there is no body; the Functions library reads it always.
            await self._send({"body": b"", **message} if message["type"].endswith("body") else message)

    async def _send_problem(self, start: Message) -> None:
        body = dumps(self._problem(start["status"])).encode()
        kept = [(name, value) for name, value in start["headers"] if name.lower() not in _BODY_HEADERS]
        headers = [
            *kept,
            (b"content-type", PROBLEM_MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if start["status"] == 503:
            headers.append((b"retry-after", _RETRY_AFTER))
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def _problem(self, status: int) -> JsonObject:
        code = code_of(status)
        detail, errors = _told(self._body)
        if status >= 500 and status != 503:
            detail, errors = self._logged(detail), []
        problem: JsonObject = {
            "type": f"{self._base}/docs#errors/{code.code}",
            "title": code.title,
            "status": status,
            "detail": detail,
            "instance": self._path,
            "code": code.code,
            "description": detail,
            "remedy": code.remedy,
            "retryable": code.retryable,
        }
        return problem | ({"errors": errors} if errors else {})

    def _logged(self, detail: str) -> str:
        reference = uuid.uuid4().hex
        logger.error(
            "api failed", extra={"path": self._path, "reference": reference, "detail": detail[:2000]}
        )
        return f"The log has this error under reference {reference}."


_BODY_HEADERS = frozenset({b"content-type", b"content-length", b"cache-control", b"content-encoding"})


def _told(body: bytes) -> tuple[str, list[JsonObject]]:
    """Return the sentence and the violations of a library's error, whichever its form."""
    try:
        told = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")[:500] or "No reason was given.", []
    given = told.get("detail", told.get("description", "")) if isinstance(told, dict) else told
    if isinstance(given, list):
        errors = [_violation(error) for error in given if isinstance(error, dict)]
        return "; ".join(f"{error['parameter']}: {error['message']}" for error in errors), errors
    return str(given) or "No reason was given.", []


def _violation(error: JsonObject) -> JsonObject:
    place = [str(part) for part in error.get("loc", ()) if part not in {"query", "body", "path"}]
    violation: JsonObject = {"parameter": ".".join(place) or "(body)", "message": error.get("msg", "")}
    return violation | (
        {"value": error["input"]} if isinstance(error.get("input"), str | int | float) else {}
    )
