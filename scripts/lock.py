"""Renew the pinned requirements from what the project asks for."""

import sys

from local.binaries import CHECKOUT, VENV
from scripts.running import run, say

_OPTIONS = ("--quiet", "--upgrade", "--no-header", "--python-version", "3.11")


def main() -> int:
    """Compile both lists, that of Azure first because the other builds on it."""
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        say("Installing uv into .venv")
        run([str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv"])
    for name in ("requirements", "requirements-dev"):
        say(f"Renewing {name}.txt")
        command = [str(uv), "pip", "compile", *_OPTIONS]
        run([*command, str(CHECKOUT / f"{name}.in"), "--output-file", str(CHECKOUT / f"{name}.txt")])
    return 0


if __name__ == "__main__":
    sys.exit(main())
