"""Reading a JSON object from a request's body, and refusing whatever is not exactly that."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from email.message import Message
from typing import Any

import azure.functions as func

from core import codes
from core.errors import InvalidInput, Violation
from core.json import JsonObject
from triggers.http.errors import BadRequest, ContentTooLarge, UnsupportedMediaType


def json_object(request: func.HttpRequest, most_bytes: int) -> JsonObject:
    """Return the JSON object in the body.

    Raises:
        UnsupportedMediaType: The content type is another than JSON.
        ContentTooLarge: The body has more than `most_bytes` bytes.
        BadRequest: It is not JSON, or no object. JSON has no NaN and no Infinity; an object that has
            a name twice says two things.
        InvalidInput: A string has characters that no text in the database can have.
    """
    _check_media_type(request)
    body = request.get_body()
    if len(body) > most_bytes:
        raise ContentTooLarge(
            codes.BODY_TOO_LARGE, f"The body has {len(body)} bytes; {most_bytes} are allowed."
        )
    value = _parse(body)
    if not isinstance(value, dict):
        raise BadRequest(codes.BODY_NOT_OBJECT, f"The body is {_json_kind(value)}, not an object.")
    unstorable = tuple(_unstorable(value, ()))
    if unstorable:
        detail = "; ".join(f"{violation.parameter}: {violation.message}" for violation in unstorable)
        raise InvalidInput(codes.PARAMETERS_INVALID, detail, unstorable)
    return value


def _check_media_type(request: func.HttpRequest) -> None:
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(codes.MEDIA_TYPE, f"Bodies encoded as {encoding[:50]!r} are not read.")
    given = request.headers.get("Content-Type", "application/json")
    message = Message()
    message["Content-Type"] = given
    media_type, charset = message.get_content_type(), message.get_content_charset("utf-8")
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if not is_json or charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(codes.MEDIA_TYPE, f"Bodies of type {given[:100]!r} are not read.")


def _parse(body: bytes) -> Any:
    if not body.strip():
        raise BadRequest(codes.BODY_NOT_JSON, "The body is empty; {} submits the defaults.")
    try:
        return json.loads(
            body.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError as error:
        raise BadRequest(codes.BODY_NOT_JSON, f"The body is not UTF-8 at byte {error.start}.") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(codes.BODY_NOT_JSON, f"The body is not JSON: {error.msg} at {where}.") from error
    except RecursionError as error:
        raise BadRequest(codes.BODY_NOT_JSON, "The body is nested too deeply.") from error
    except ValueError as error:
        # The interpreter refuses to read integers of thousands of digits.
        raise BadRequest(codes.BODY_NOT_JSON, "The body has a number with too many digits.") from error


def _refuse_constant(name: str) -> float:
    raise BadRequest(codes.BODY_NOT_JSON, f"The body has {name}, which JSON does not know.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadRequest(codes.BODY_NOT_JSON, f"The number {text[:50]} is too large.")
    return value


def _unique(pairs: Sequence[tuple[str, Any]]) -> JsonObject:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise BadRequest(codes.BODY_NOT_JSON, f"The body names {', '.join(twice)[:200]} more than once.")
    return table


def _unstorable(value: Any, path: tuple[str, ...]) -> Iterator[Violation]:
    """Find the strings that PostgreSQL cannot hold: NUL, and halves of surrogate pairs."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            name = ".".join(path).encode(errors="replace").decode().replace("\x00", "?")
            yield Violation(name, "Text must not hold NUL characters or lone surrogates.")
        return
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        inner = (*path, str(name))
        yield from _unstorable(name, inner)
        yield from _unstorable(item, inner)


def _json_kind(value: Any) -> str:
    kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
