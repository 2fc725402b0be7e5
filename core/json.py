"""The JSON boundary: one way to turn values into JSON, and one to hash them."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import orjson

# What orjson would write in a way of its own goes through `_special` instead.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS

_PLAIN = (str, int, bool, type(None))

JsonObject = dict[str, Any]


def to_jsonable(value: Any) -> Any:
    """Return `value` in terms of JSON: non-finite numbers become null, times RFC 3339 in UTC.

    Raises:
        TypeError: A value has no JSON form, or a datetime carries no zone.
    """
    if isinstance(value, Enum):
        return to_jsonable(value.value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_jsonable(item) for item in value]
    return _special(value)


def _special(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID | PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")


def rfc3339(moment: datetime) -> str:
    """Return an aware datetime as RFC 3339 in UTC, e.g. ``2026-11-05T12:00:00.123456Z``."""
    if moment.tzinfo is None:
        raise TypeError(f"datetime without a zone: {moment!r}")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def dumps(value: Any) -> str:
    """Return compact JSON of `value` after `to_jsonable`."""
    try:
        return orjson.dumps(value, default=to_jsonable, option=_OPTIONS).decode()
    except TypeError:
        # Keys that are no strings and integers of more than 64 bits; or a value without a form, to be named.
        return json.dumps(to_jsonable(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> bytes:
    """Return the one byte string of `value` that is hashed: sorted keys, no spaces, UTF-8."""
    text = json.dumps(
        to_jsonable(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    )
    return text.encode()
