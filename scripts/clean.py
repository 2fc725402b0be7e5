"""Stop the local system and remove what the other commands made, and nothing else."""

import shutil
import subprocess
import sys

from local.binaries import CHECKOUT, VENV
from local.home import Home
from scripts.running import say

_CACHES = (
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".import_linter_cache",
    ".hypothesis",
)


def main() -> int:
    """Remove the home, the virtual environment and the caches."""
    home = Home.from_environment()
    if (VENV / "bin" / "python").exists() and home.run.exists():
        subprocess.run([str(VENV / "bin" / "python"), "-m", "local", "down"], cwd=CHECKOUT, check=True)
    # By name, because somebody may have pointed TERRANE_HOME at a directory with other things in it.
    for part in home.parts:
        shutil.rmtree(part, ignore_errors=True)
    if home.root.is_dir() and not any(home.root.iterdir()):
        home.root.rmdir()
    for cache in CHECKOUT.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)
    for name in _CACHES:
        shutil.rmtree(CHECKOUT / name, ignore_errors=True)
    shutil.rmtree(VENV, ignore_errors=True)
    say("Removed the local system's data, the virtual environment and the caches.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
