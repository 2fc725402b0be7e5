"""Constraints of route parameters, with the names and meanings of ASP.NET Core."""

import re
import uuid
from collections.abc import Callable
from datetime import datetime

Constraint = Callable[[str], bool]

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_DOUBLE = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LETTERS = re.compile(r"[a-zA-Z]*")
_CALL = re.compile(r"(?P<name>\w+)(?:\((?P<arguments>.*)\))?", re.DOTALL)


def parse_constraint(text: str) -> Constraint:
    """Return the test that a constraint such as ``int`` or ``length(2,5)`` stands for.

    Raises:
        ValueError: There is no such constraint, or its arguments are wrong.
    """
    match = _CALL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no route constraint")
    name, arguments = match["name"].lower(), match["arguments"]
    if arguments is None and name in _PLAIN:
        return _PLAIN[name]
    if arguments is not None and name == "regex":
        return _regular_expression(arguments)
    if arguments is not None and name in _NUMERIC:
        return _numeric(name, arguments)
    raise ValueError(f"{text!r} is no route constraint that the host knows")


def _regular_expression(pattern: str) -> Constraint:
    # Templates double the braces of a regular expression so that they can be told from their own.
    try:
        compiled = re.compile(pattern.replace("{{", "{").replace("}}", "}"), re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"regex({pattern}): {error}") from error
    return lambda value: compiled.search(value) is not None


def _numeric(name: str, arguments: str) -> Constraint:
    texts = [argument.strip() for argument in arguments.split(",")]
    least, most = _NUMERIC[name]
    if not least <= len(texts) <= most or not all(_INTEGER.fullmatch(text) for text in texts):
        raise ValueError(f"{name}({arguments}): wrong arguments")
    numbers = [int(text) for text in texts]
    first, last = numbers[0], numbers[-1]
    tests: dict[str, Constraint] = {
        "length": lambda value: first <= len(value) <= last,
        "minlength": lambda value: len(value) >= first,
        "maxlength": lambda value: len(value) <= first,
        "min": lambda value: _is_integer(value, 64) and int(value) >= first,
        "max": lambda value: _is_integer(value, 64) and int(value) <= first,
        "range": lambda value: _is_integer(value, 64) and first <= int(value) <= last,
    }
    return tests[name]


def _is_integer(value: str, bits: int) -> bool:
    limit = 1 << (bits - 1)
    return _INTEGER.fullmatch(value) is not None and -limit <= int(value) < limit


def _is_guid(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return not value.lower().startswith("urn:")


def _is_datetime(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


_PLAIN: dict[str, Constraint] = {
    "alpha": lambda value: _LETTERS.fullmatch(value) is not None,
    "bool": lambda value: value.lower() in {"true", "false"},
    "datetime": _is_datetime,
    "decimal": lambda value: _DECIMAL.fullmatch(value) is not None,
    "double": lambda value: _DOUBLE.fullmatch(value) is not None,
    "float": lambda value: _DOUBLE.fullmatch(value) is not None,
    "guid": _is_guid,
    "int": lambda value: _is_integer(value, 32),
    "long": lambda value: _is_integer(value, 64),
    "required": bool,
}

# Number of arguments, at least and at most.
_NUMERIC = {
    "length": (1, 2),
    "minlength": (1, 1),
    "maxlength": (1, 1),
    "min": (1, 1),
    "max": (1, 1),
    "range": (2, 2),
}
