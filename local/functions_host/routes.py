"""Route templates of HTTP triggers and the choice between them, as ASP.NET Core makes it.

Literal segments come before constrained parameters, these before plain ones, and catch-alls
last, segment by segment. Literals are compared without regard to case.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import unquote

from local.functions_host.constraints import Constraint, parse_constraint

T = TypeVar("T")

ALL_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"})

_PARAMETER = re.compile(r"\{(?P<stars>\*{0,2})(?P<name>\w+)(?P<rest>.*)\}", re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """One ``{name:constraint=default?}`` of a template."""

    name: str
    constraints: tuple[Constraint, ...] = ()
    default: str | None = None
    optional: bool = False
    catch_all: bool = False

    @property
    def may_be_missing(self) -> bool:
        """Whether a path may end before it."""
        return self.optional or self.catch_all or self.default is not None

    def accepts(self, value: str) -> bool:
        """Whether every constraint holds."""
        return all(constraint(value) for constraint in self.constraints)


@dataclass(frozen=True)
class Segment:
    """What stands between two slashes: literal text and parameters in turn."""

    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]
    precedence: int

    def match(self, text: str) -> dict[str, str] | None:
        """Return the parameters' values, or None if `text` does not fit."""
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        values = found.groupdict()
        return values if all(p.accepts(values[p.name]) for p in self.parameters) else None


@dataclass(frozen=True)
class Template:
    """A parsed route."""

    text: str
    segments: tuple[Segment, ...]

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """Return the route parameters of a path given as decoded segments, or None."""
        values: dict[str, str] = {}
        for position, segment in enumerate(self.segments):
            if segment.parameters and segment.parameters[0].catch_all:
                return _rest(segment.parameters[0], path[position:], values)
            if position >= len(path):
                return _defaults(self.segments[position:], values)
            found = segment.match(path[position])
            if found is None:
                return None
            values.update(found)
        return values if len(path) <= len(self.segments) else None

    @property
    def shape(self) -> str:
        """The template without the parameters' names: two that are equal match the same paths."""
        return re.sub(r"\{(\*{0,2})\w+", r"{\1", self.text).lower()

    @property
    def order(self) -> tuple[int, ...]:
        """Sort key: the smaller one is tried first."""
        return tuple(segment.precedence for segment in self.segments)


def _rest(parameter: Parameter, path: Sequence[str], values: dict[str, str]) -> dict[str, str] | None:
    text = "/".join(path) or parameter.default or ""
    if not parameter.accepts(text):
        return None
    return {**values, parameter.name: text} if text else values


def _defaults(segments: Iterable[Segment], values: dict[str, str]) -> dict[str, str] | None:
    for segment in segments:
        if len(segment.parameters) != 1 or not segment.parameters[0].may_be_missing:
            return None
        [parameter] = segment.parameters
        if parameter.default is not None:
            values[parameter.name] = parameter.default
    return values


def parse_template(text: str) -> Template:
    """Parse a route such as ``jobs/{id:int}/{*rest}``.

    Raises:
        ValueError: The template is malformed, or names a constraint that does not exist.
    """
    trimmed = text.strip("/")
    segments = tuple(_segment(part) for part in _split(trimmed)) if trimmed else ()
    parameters = [parameter for segment in segments for parameter in segment.parameters]
    names = [parameter.name.lower() for parameter in parameters]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"parameter {', '.join(repeated)} occurs more than once")
    if any(parameter.catch_all or parameter.optional for s in segments[:-1] for parameter in s.parameters):
        raise ValueError("optional and catch-all parameters may only stand at the end")
    return Template(trimmed, segments)


def _split(text: str) -> list[str]:
    # Slashes inside braces belong to a constraint such as regex(a/b).
    parts, depth = [""], 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "/" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    if depth:
        raise ValueError("braces are not balanced")
    if "" in parts:
        raise ValueError("two slashes follow one another")
    return parts


def _segment(text: str) -> Segment:
    parameters: list[Parameter] = []
    pattern = ""
    for piece in _pieces(text):
        if not piece.startswith("{"):
            pattern += re.escape(piece)
            continue
        parameter = _parameter(piece)
        parameters.append(parameter)
        pattern += f"(?P<{parameter.name}>.+)"
    if len(parameters) > 1 and any(parameter.catch_all for parameter in parameters):
        raise ValueError(f"{text!r}: a catch-all must be a segment of its own")
    return Segment(re.compile(pattern, re.IGNORECASE | re.DOTALL), tuple(parameters), _precedence(parameters))


def _pieces(text: str) -> list[str]:
    pieces, depth = [""], 0
    for character in text:
        if character == "{" and depth == 0:
            pieces.append("")
        pieces[-1] += character
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "}" and depth == 0:
            pieces.append("")
    return [piece for piece in pieces if piece]


def _parameter(text: str) -> Parameter:
    match = _PARAMETER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no route parameter")
    rest, _, default = match["rest"].partition("=") if "(" not in match["rest"] else (match["rest"], "", "")
    optional = rest.endswith("?")
    texts = _split_constraints(rest.removesuffix("?"), text)
    return Parameter(
        name=match["name"],
        constraints=tuple(parse_constraint(constraint) for constraint in texts),
        default=default or None,
        optional=optional,
        catch_all=bool(match["stars"]),
    )


def _split_constraints(text: str, parameter: str) -> list[str]:
    if text and not text.startswith(":"):
        raise ValueError(f"{parameter!r} is no route parameter")
    # A colon inside parentheses belongs to a regular expression.
    return re.split(r":(?![^()]*\))", text)[1:]


def _precedence(parameters: Sequence[Parameter]) -> int:
    if not parameters:
        return 1
    constrained = any(parameter.constraints for parameter in parameters)
    if parameters[0].catch_all:
        return 4 if constrained else 5
    return 2 if constrained or len(parameters) > 1 else 3


class RouteTable(Generic[T]):
    """Finds what is registered for a path and a method."""

    def __init__(self) -> None:
        self._entries: list[tuple[Template, frozenset[str], T]] = []

    def add(self, template: Template, methods: Iterable[str], target: T) -> None:
        """Register `target`; no methods means all of them."""
        self._entries.append((template, frozenset(methods) or ALL_METHODS, target))
        self._entries.sort(key=lambda entry: entry[0].order)

    def find(self, method: str, raw_path: str) -> tuple[T, dict[str, str]] | None:
        """Return the target and the route parameters, or None.

        The method is a constraint like others: a path that is known under another method only is
        not found, and `HEAD` is not `GET`. The real host answers 404 there, never 405.
        """
        path = split_path(raw_path)
        for template, methods, target in self._entries:
            if method in methods and (values := template.match(path)) is not None:
                return target, values
        return None


def split_path(raw_path: str) -> list[str]:
    """Decode a path's segments; an encoded slash stays encoded, as Kestrel leaves it."""
    parts = raw_path.strip("/").split("/") if raw_path.strip("/") else []
    return [unquote(re.sub("%2[fF]", "%252F", part)) for part in parts]
