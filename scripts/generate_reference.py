"""Write the documents that are generated from the code, or check that they are current."""

import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from local.binaries import CHECKOUT
from scripts.reference import errors, modules, settings
from scripts.running import say

DOCUMENTS: dict[str, Callable[[Path], str]] = {
    "local.settings.example.json": settings.example,
    "docs/reference/settings.md": settings.page,
    "docs/reference/errors.md": errors.page,
    "docs/reference/file-catalogue.md": modules.page,
}


def main(arguments: Sequence[str]) -> int:
    """Write every document, or with ``--check`` print what would change and fail if anything would."""
    if "--check" not in arguments:
        for name, render in DOCUMENTS.items():
            path = CHECKOUT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(CHECKOUT), encoding="utf-8")
        return 0
    stale = [name for name, render in DOCUMENTS.items() if _differs(name, render(CHECKOUT))]
    if stale:
        say(f"not current: {', '.join(stale)}; type `make docs`")
    return 1 if stale else 0


def _differs(name: str, wanted: str) -> bool:
    path = CHECKOUT / name
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in difflib.unified_diff(found.splitlines(), wanted.splitlines(), name, "generated", n=0):
        say(line.rstrip("\n"))
    return found != wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
