"""Keyset paging: a page, the address of the next one, and the cursor in it."""

import base64
import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode, urlsplit

from pydantic import AwareDatetime, BeforeValidator, Field, TypeAdapter, ValidationError

from core import codes
from core.errors import Violation
from core.json import dumps, rfc3339
from triggers.http.errors import BadRequest
from triggers.http.requests import HOST_PARAMETERS, Call, Query
from triggers.http.schemas import Page

R = TypeVar("R")
V = TypeVar("V")
K = TypeVar("K")

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?)([Zz]|[+ -]\d\d:\d\d)", re.ASCII)


def _read_moment(value: Any) -> Any:
    # Left alone, pydantic takes numbers for seconds, and a date for its midnight.
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("Give a time with its zone, as in 2026-11-05T12:00:00Z (RFC 3339).")
    # A plus that was not encoded arrives as a space.
    return match[1] + match[2].replace(" ", "+")


#: A time with a zone, RFC 3339.
Moment = Annotated[AwareDatetime, BeforeValidator(_read_moment)]


class PageQuery(Query):
    """What every list takes."""

    limit: int = Field(default=100, ge=1, le=1_000, description="Most items of a page.")
    cursor: str | None = Field(
        default=None, max_length=500, description="Where the page begins; taken from `next`."
    )


# What the database can compare with its own numbers.
_BigInt = Annotated[int, Field(ge=0, lt=2**63)]

#: The keys that lists go by.
NEWEST_FIRST: TypeAdapter[tuple[datetime, str]] = TypeAdapter(tuple[AwareDatetime, str])
STAGE_AND_KEY: TypeAdapter[tuple[int, str]] = TypeAdapter(tuple[int, str])
EVENT_ID: TypeAdapter[int] = TypeAdapter(_BigInt)
RUN_ID: TypeAdapter[int] = TypeAdapter(_BigInt)


def start(query: PageQuery, keys: TypeAdapter[K]) -> K | None:
    """Return the key behind which the page begins.

    Raises:
        BadRequest: The cursor is none that this interface gave.
    """
    if query.cursor is None:
        return None
    try:
        padded = query.cursor + "=" * (-len(query.cursor) % 4)
        text = base64.urlsafe_b64decode(padded.encode("ascii")).decode()
        # The database takes no NUL, which no key of its own can have.
        return keys.validate_python(json.loads(text.replace("\\u0000", "")))
    except (ValueError, ValidationError) as error:
        violation = Violation("cursor", "Take the cursor from `next`, unchanged.", query.cursor)
        raise BadRequest(codes.QUERY_INVALID, f"cursor: {violation.message}", (violation,)) from error


def page(
    call: Call[Any], records: Sequence[R], show: Callable[[R], V], key_of: Callable[[R], object]
) -> Page[V]:
    """Return a page of records of which one more was read than it shows.

    Args:
        call: The request, whose other query parameters the next page keeps.
        records: At most ``limit + 1``.
        show: How a record is shown.
        key_of: The key behind which the next page begins.
    """
    shown = records[: call.query.limit]
    more = len(records) > len(shown)
    return Page(
        items=[show(record) for record in shown], next=_next(call, key_of(shown[-1])) if more else None
    )


def _next(call: Call[Any], key: object) -> str:
    kept = {
        name: value
        for name, value in call.query.model_dump(exclude_unset=True, exclude={"cursor"}).items()
        if name not in HOST_PARAMETERS and value is not None
    }
    parameters = {name: _text(value) for name, value in kept.items()} | {"cursor": _cursor(key)}
    path = urlsplit(call.http.url).path.removeprefix(call.prefix)
    return f"{call.base}{path}?{urlencode(parameters)}"


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, frozenset):
        return ",".join(sorted(value))
    return str(value)


def _cursor(key: object) -> str:
    return base64.urlsafe_b64encode(dumps(key).encode()).decode().rstrip("=")
