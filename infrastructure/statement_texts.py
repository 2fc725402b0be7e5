"""Texts of SQL statements, fit to be shown: without the values that somebody wrote into them."""

import re

_MASK = "?"
_PATTERN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<dollar>\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
    |(?P<escaped>\b[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z))
    |(?P<string>(?:\b(?:[uU]&|[bBxXnN]))?'(?:[^']|'')*(?:'|\Z))
    |(?P<identifier>"(?:[^"]|"")*(?:"|\Z)|\$\d+|[A-Za-z_][\w$]*)
    |(?P<number>(?:\d[\w.]*|\.\d[\w.]*)(?:(?<=[eE])[+-]\d+)?)
    """,
    re.VERBOSE | re.DOTALL,
)


def without_values(statement: str) -> str:
    """Return a statement with every literal replaced by ``?`` and without comments.

    Names and placeholders stay. The server cuts long texts, so a literal may lack its end; then
    nothing of it is shown.
    """
    return " ".join(_PATTERN.sub(_shown, statement).split())


def _shown(match: re.Match[str]) -> str:
    if match["identifier"] is not None:
        return match[0]
    return " " if match["comment"] is not None else _MASK
