"""Addresses: of the API as the client sees it, and of the things in it."""

from urllib.parse import urlsplit

import azure.functions as func


def origin(request: func.HttpRequest) -> str:
    """Return scheme, host and port of a request's URL."""
    parts = urlsplit(request.url)
    return f"{parts.scheme}://{parts.netloc}"


def prefix_of(request: func.HttpRequest, route: str) -> str:
    """Return the part of the path before a route, which is `routePrefix` of ``host.json``."""
    segments = urlsplit(request.url).path.rstrip("/").split("/")
    return "/".join(segments[: len(segments) - len(route.split("/"))])


def job_links(base: str, job_id: str) -> dict[str, str]:
    """Return where a job can be asked about and acted on.

    Args:
        base: Address of the API, without a slash at its end.
        job_id: The job.
    """
    job = f"{base}/jobs/{job_id}"
    return {"self": job} | {
        name: f"{job}/{name}" for name in ("tasks", "events", "why", "cancel", "resubmit")
    }
