"""Processes that make themselves ready, are let go together, and are timed until the last has ended."""

import subprocess
import time
from collections.abc import Mapping, Sequence


def seconds_of(commands: Sequence[Sequence[str]], environment: Mapping[str, str] | None = None) -> float:
    """Return how long the commands work, their start-up left out.

    Each prints a line when it is ready, and then waits for one on its standard input.

    Raises:
        RuntimeError: One of them failed.
    """
    processes = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
        )
        for command in commands
    ]
    for process in processes:
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError(f"{process.args!r} ended before it was ready")
    began = time.perf_counter()
    for process in processes:
        if process.stdin is not None:
            process.stdin.write("go\n")
    codes = [process.wait() for process in processes]
    seconds = time.perf_counter() - began
    if any(codes):
        raise RuntimeError(f"{commands[0]} ended with {codes}")
    return seconds
