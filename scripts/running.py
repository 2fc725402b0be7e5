"""Run a command quietly, and say what it said if it fails."""

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence


class InstallFailed(Exception):
    """Something could not be installed; the message says what to type."""


def say(line: str) -> None:
    """Print what is about to happen; not on standard output, which others may read."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return what it printed.

    Raises:
        InstallFailed: It ended with another code than 0, or is not there.
    """
    try:
        ended = subprocess.run(
            command,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise InstallFailed(f"{error}; the command was: {shlex.join(command)}") from error
    if ended.returncode:
        end = "\n".join(ended.stdout.splitlines()[-30:])
        raise InstallFailed(f"{end}\nThis did not work; try it by hand: {shlex.join(command)}")
    return ended.stdout
