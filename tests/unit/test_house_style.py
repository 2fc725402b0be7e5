"""What the linters do not see: emoji, banner comments and functions that have grown too long."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ROOTS = (
    ".ci",
    "benchmarks",
    "config",
    "core",
    "deploy",
    "docs",
    "infrastructure",
    "jobs",
    "local",
    "scripts",
    "services",
    "tests",
    "triggers",
)
SUFFIXES = {".py", ".sql", ".md", ".toml", ".json", ".js", ".mjs", ".bicep", ".sh", ".yaml", ".yml", ""}
LONGEST_FUNCTION = 60
# Published by others, kept as they are.
FOREIGN = CHECKOUT / "tests" / "schemas"

# Pictographs, flags, dingbats, and the selector that turns a plain character into a picture.
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b50\u2b55\ufe0f]")
BANNER = re.compile(r"^\s*(#|--|//)\s*[=\-*~#]{3,}")


def source_files() -> list[Path]:
    """Return every file that people write, in a stable order."""
    files = [path for path in CHECKOUT.iterdir() if path.is_file() and not path.name.startswith(".git")]
    files += [path for root in ROOTS for path in (CHECKOUT / root).rglob("*") if path.is_file()]
    wanted = [path for path in files if path.suffix in SUFFIXES and "__pycache__" not in path.parts]
    return sorted(path for path in wanted if FOREIGN not in path.parents and "node_modules" not in path.parts)


def style_faults(text: str) -> Iterator[str]:
    """Yield what is wrong with the lines of a file."""
    for number, line in enumerate(text.splitlines(), 1):
        if EMOJI.search(line):
            yield f"{number}: emoji"
        if BANNER.search(line):
            yield f"{number}: banner"


def long_functions(text: str) -> Iterator[str]:
    """Yield the functions of a module that are over the limit."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{node.lineno}: {node.name} has {length} lines"


def imported_modules(text: str) -> Iterator[str]:
    """Yield the modules that a module imports; for ``from azure import x`` that is ``azure.x``."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "azure":
            yield from (f"azure.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_no_source_file_has_emoji_or_banners() -> None:
    faults = [
        f"{path.relative_to(CHECKOUT)}:{fault}"
        for path in source_files()
        for fault in style_faults(path.read_text(encoding="utf-8"))
    ]

    assert faults == []


def test_no_function_is_longer_than_the_limit() -> None:
    faults = [
        f"{path.relative_to(CHECKOUT)}:{fault}"
        for path in source_files()
        if path.suffix == ".py"
        for fault in long_functions(path.read_text(encoding="utf-8"))
    ]

    assert faults == []


@pytest.mark.parametrize(
    "line",
    ["# " + "=" * 5, "    # " + "-" * 3 + " helpers", "-- " + "*" * 4, "done \N{ROCKET}", "\N{SPARKLES} new"],
)
def test_a_banner_or_an_emoji_is_found(line: str) -> None:
    assert list(style_faults(f"fine\n{line}\n")) != []


@pytest.mark.parametrize("line", ["x = 3  # why", "a \N{RIGHTWARDS ARROW} b", "| --- | --- |", "# a - b"])
def test_ordinary_lines_pass(line: str) -> None:
    assert list(style_faults(line)) == []


def test_triggers_use_no_client_of_azure() -> None:
    # import-linter sees one package named azure, and triggers need azure.functions.
    imported = {
        (path.name, name)
        for path in (CHECKOUT / "triggers").rglob("*.py")
        for name in imported_modules(path.read_text(encoding="utf-8"))
        if name.startswith("azure.") and not name.startswith("azure.functions")
    }

    assert imported == set()


def test_both_forms_of_import_are_seen() -> None:
    text = "import azure.functions\nfrom azure.storage.blob import BlobClient\nfrom azure import identity"

    assert list(imported_modules(text)) == ["azure.functions", "azure.storage.blob", "azure.identity"]


def test_a_function_over_the_limit_is_found() -> None:
    body = "    x = 1\n" * LONGEST_FUNCTION

    assert list(long_functions(f"def grown():\n{body}")) == ["1: grown has 61 lines"]
