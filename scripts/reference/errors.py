"""Every error code that a user can meet."""

import importlib
from pathlib import Path

from core.errors import ErrorCode
from scripts.reference.markdown import generated_page, table
from triggers.error_catalogue import CODE_MODULES


def page(_checkout: Path) -> str:
    """Return the page of the error codes, one table a module of codes.

    Raises:
        ValueError: Two errors have one code.
    """
    found = {module.__name__: _codes(module.__name__) for module in CODE_MODULES}
    names = [code.code for codes in found.values() for code in codes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"error codes declared twice: {', '.join(twice)}")
    return generated_page(
        "Errors",
        "The code stands in the `type` of the problem document, in the task's error and in the log record. "
        "An error that may pass is one that another try of the same request can get over.",
        (_section(name, codes) for name, codes in found.items()),
    )


def _codes(module: str) -> list[ErrorCode]:
    values = vars(importlib.import_module(module)).values()
    return sorted((value for value in values if isinstance(value, ErrorCode)), key=lambda code: code.code)


def _section(module: str, codes: list[ErrorCode]) -> str:
    rows = [(f"`{code.code}`", code.title, code.remedy, "yes" if code.retryable else "no") for code in codes]
    summary = (importlib.import_module(module).__doc__ or module).strip()
    header = ("code", "what is wrong", "what to do", "may pass")
    return f"## {summary.rstrip('.')}\n\n{table(header, rows)}"
