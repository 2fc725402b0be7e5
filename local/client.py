"""The few HTTP requests that the demo makes, as any client would."""

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_TRIES = 20
_LONGEST_PAUSE_SECONDS = 5.0
_BUSY = (429, 503)


class RequestFailed(Exception):
    """The app refused a request; the message is what its problem document says."""


class Client:
    """Speaks JSON with one Terrane.

    Args:
        url: Its address, without ``/api``.
    """

    def __init__(self, url: str) -> None:
        self._authority = urlsplit(url).netloc

    def submit(self, job_type: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Submit a job and return the receipt.

        Raises:
            RequestFailed: The parameters or what they name are refused.
        """
        return self._request("POST", f"/api/jobs/submit/{job_type}", parameters)

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job as it is now."""
        return self._request("GET", f"/api/jobs/{job_id}")

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        for _ in range(_TRIES):
            status, retry_after, answer = self._once(method, path, body)
            if status < 400:
                return answer
            if status not in _BUSY:
                raise RequestFailed(_describe(method, path, status, answer))
            time.sleep(min(float(retry_after or 1), _LONGEST_PAUSE_SECONDS))
        raise RequestFailed(_describe(method, path, status, answer))

    def _once(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[int, str | None, dict[str, Any]]:
        connection = http.client.HTTPConnection(self._authority, timeout=90)
        content = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            # A worker that is replaced drops its connections; both requests may be repeated.
            return 503, None, {"detail": str(error)}
        finally:
            connection.close()
        return response.status, response.getheader("Retry-After"), _json_object(text)


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {"detail": text.decode(errors="replace")[:500]}
    return value if isinstance(value, dict) else {"value": value}


def _describe(method: str, path: str, status: int, answer: Mapping[str, Any]) -> str:
    lines = [f"{method} {path}: {status} {answer.get('detail') or answer.get('title') or ''}".rstrip()]
    lines += [f"  {error.get('parameter')}: {error.get('message')}" for error in answer.get("errors") or []]
    if answer.get("remedy"):
        lines.append(f"  {answer['remedy']}")
    return "\n".join(lines)
