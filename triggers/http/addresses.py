"""Addresses: of the API as the client sees it, and of the things in it."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import azure.functions as func

_FORWARDED = re.compile(r"(?i)\b(host|proto)=\"?([^\";,\s]+)")
# What a host may be made of; anything else in a header is left alone.
_HOST = re.compile(r"[\w.-]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")


def origin(request: func.HttpRequest) -> str:
    """Return scheme, host and port of a request's URL, or of the proxy's that it came through."""
    parts = urlsplit(request.url)
    return forwarded_origin(request.headers, f"{parts.scheme}://{parts.netloc}")


def forwarded_origin(headers: Mapping[str, str], request_origin: str) -> str:
    """Return scheme, host and port as the client of a proxy sees them.

    The first proxy's word counts: the first element of `Forwarded` (RFC 7239), or of the older
    `X-Forwarded-*`. What is no host or no scheme is left out.

    Args:
        headers: Headers of the request, by lower-case name.
        request_origin: What the request itself says.
    """
    scheme, _, host = request_origin.partition("://")
    told = {name.lower(): value for name, value in _FORWARDED.findall(_first(headers.get("forwarded")))}
    forwarded_host = told.get("host") or _first(headers.get("x-forwarded-host"))
    forwarded_scheme = (told.get("proto") or _first(headers.get("x-forwarded-proto"))).lower()
    if _HOST.fullmatch(forwarded_host):
        port = _first(headers.get("x-forwarded-port"))
        host = forwarded_host if ":" in forwarded_host or not port.isdigit() else f"{forwarded_host}:{port}"
    scheme = forwarded_scheme if forwarded_scheme in {"http", "https"} else scheme
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS[scheme])}"


_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def _first(value: str | None) -> str:
    return (value or "").split(",")[0].strip()


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
