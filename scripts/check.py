"""Everything that is checked without running the product; all of it, also when something fails."""

import subprocess
import sys
import time

from local.binaries import CHECKOUT, VENV
from scripts.running import say

_BIN = VENV / "bin"
CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("lint", ("ruff", "check", "--quiet", ".")),
    ("format", ("ruff", "format", "--check", "--quiet", ".")),
    ("types of the product", ("mypy",)),
    ("types of scripts", ("mypy", "-p", "scripts")),
    ("types of benchmarks", ("mypy", "-p", "benchmarks")),
    ("layers", ("lint-imports",)),
    ("dead code", ("vulture",)),
    ("generated documents", ("python", "-m", "scripts.generate_reference", "--check")),
    ("house style", ("python", "-m", "pytest", "-q", "tests/unit/test_house_style.py")),
)


def main() -> int:
    """Run every check and print one line for each, and the output of those that fail."""
    failed = [name for name, command in CHECKS if not _passes(name, command)]
    if failed:
        say(f"make check: {', '.join(failed)} failed")
        return 1
    say("make check: passed")
    return 0


def _passes(name: str, command: tuple[str, ...]) -> bool:
    start = time.monotonic()
    ended = subprocess.run(
        [str(_BIN / command[0]), *command[1:]], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    verdict = "failed" if ended.returncode else "passed"
    say(f"{name:<22} {verdict} in {time.monotonic() - start:.1f} s")
    if ended.returncode:
        say(ended.stdout + ended.stderr)
    return ended.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
