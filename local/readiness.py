"""Whether the app answers `/api/readyz`."""

import http.client
import json
from urllib.parse import urlsplit


def is_ready(url: str) -> bool:
    """Say whether the app, its database and its bus answer."""
    return why_not_ready(url) is None


def why_not_ready(url: str) -> str | None:
    """Return None if the app is ready, else what it says or why it says nothing."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/api/readyz")
        answer = connection.getresponse()
        body = answer.read(4096)
    except (OSError, http.client.HTTPException) as error:
        return f"GET {url}/api/readyz: {error}"
    finally:
        connection.close()
    if answer.status == 200:
        return None
    return f"GET {url}/api/readyz: {answer.status} {_detail(body)}"


def _detail(body: bytes) -> str:
    try:
        value = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")[:300]
    return str(value.get("detail", value)) if isinstance(value, dict) else str(value)
