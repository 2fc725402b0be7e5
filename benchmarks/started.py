"""Processes that make themselves ready, are let go together, and are timed until the last is done."""

import subprocess
import time
from collections.abc import Mapping, Sequence


def seconds_of(commands: Sequence[Sequence[str]], environment: Mapping[str, str] | None = None) -> float:
    """Return how long the commands work, their start-up and their way out left out.

    Each prints a line when it is ready, waits for one on its standard input, and prints one when done.

    Raises:
        RuntimeError: One of them failed.
    """
    processes = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
        )
        for command in commands
    ]
    _await_line(processes)
    began = time.perf_counter()
    for process in processes:
        if process.stdin is not None:
            process.stdin.write("go\n")
    _await_line(processes)
    seconds = time.perf_counter() - began
    codes = [process.wait() for process in processes]
    if any(codes):
        raise RuntimeError(f"{commands[0]} ended with {codes}")
    return seconds


def _await_line(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError(f"{process.args!r} ended before its time")
