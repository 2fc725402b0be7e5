"""Named SQL statements, kept in files so that they can be read, linted and run in psql."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import LiteralString, cast

# A header stands at the start of the file or after a blank line, and a comment line follows it,
# so that a one-word comment inside a statement is never taken for one.
_HEADER = re.compile(r"(?:\A|\n[ \t]*\n)-- ([a-z][a-z0-9_]*)\n(?=-- )")


@cache
def load(name: str) -> Mapping[str, LiteralString]:
    """Return the statements of ``queries/{name}.sql`` by their names.

    Each statement has a header line ``-- name`` and below it at least one comment line that says
    what it does; these comments stay with the statement. The final semicolon is left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file starts without a header, has a name twice or a header without a
            statement.
    """
    text = files(__name__).joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
    return MappingProxyType(parse(text, name))


def parse(text: str, source: str) -> dict[str, LiteralString]:
    """Split the text of a query file into its statements; see `load`."""
    preamble, *parts = _HEADER.split(text)
    if preamble.strip():
        raise ValueError(f"{source}: text before the first header: {preamble.strip()[:60]!r}")
    statements: dict[str, LiteralString] = {}
    for header, body in zip(parts[::2], parts[1::2], strict=True):
        if header in statements:
            raise ValueError(f"{source}: {header} is defined twice")
        if all(not line or line.startswith("--") for line in map(str.strip, body.splitlines())):
            raise ValueError(f"{source}: {header} has no statement")
        # The files are part of the release, so their text is as literal as the code around it.
        statements[header] = cast("LiteralString", body.strip().removesuffix(";"))
    return statements
