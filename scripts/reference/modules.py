"""One line for every module, from its docstring."""

import ast
from pathlib import Path

from scripts.reference.markdown import generated_page, table

_PACKAGES = (
    "config",
    "core",
    "jobs",
    "services",
    "infrastructure",
    "triggers",
    "local",
    "scripts",
    "benchmarks",
)


def page(checkout: Path) -> str:
    """Return the catalogue of the source files, one table a package."""
    parts = [_section("Entry point", [checkout / "function_app.py"], checkout)]
    parts += [_section(name, sorted((checkout / name).rglob("*.py")), checkout) for name in _PACKAGES]
    return generated_page("File catalogue", "Every module and what it is for.", filter(None, parts))


def _section(title: str, files: list[Path], checkout: Path) -> str:
    rows = [(f"`{path.relative_to(checkout)}`", _summary(path)) for path in files if path.exists()]
    return f"## {title}\n\n{table(('file', 'what it is for'), rows)}" if rows else ""


def _summary(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n\n")[0].replace("\n", " ")
