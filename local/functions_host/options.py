"""Command line of the host and of its workers."""

import argparse
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

DEFAULT_GRACE = timedelta(seconds=10)


@dataclass(frozen=True)
class Options:
    """What the host was started with.

    Args:
        app: Directory that holds `function_app.py` and `host.json`.
        port: TCP port; 0 lets the system choose one.
        workers: Number of worker processes; None leaves it to FUNCTIONS_WORKER_PROCESS_COUNT.
        grace: How long running invocations may take after SIGTERM.
        state: Directory in which timers remember when they ran.
        keys: File with access keys; without one no request is asked for a key.
    """

    app: Path
    host: str
    port: int
    workers: int | None
    grace: timedelta
    state: Path
    keys: Path | None


def parse_arguments(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line, which exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(prog="local.functions_host", description=__doc__)
    add_common_arguments(parser)
    parser.add_argument("--port", type=int, default=7071)
    parser.add_argument("--workers", type=int, help="default: FUNCTIONS_WORKER_PROCESS_COUNT, or 1")
    values = parser.parse_args(arguments)
    if values.workers is not None and values.workers < 1:
        parser.error("--workers must be 1 or more")
    return Options(
        app=values.app.resolve(),
        host=values.host,
        port=values.port,
        workers=values.workers,
        grace=timedelta(seconds=values.grace),
        state=(values.state or default_state(values.app)).resolve(),
        keys=values.require_keys.resolve() if values.require_keys else None,
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what host and worker both take."""
    parser.add_argument("--app", type=Path, required=True, metavar="DIR")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--grace", type=float, default=DEFAULT_GRACE.total_seconds(), metavar="SECONDS")
    parser.add_argument("--state", type=Path, metavar="DIR")
    parser.add_argument("--require-keys", type=Path, metavar="FILE", help="ask for the keys in this file")


def default_state(app: Path) -> Path:
    """Return a directory that is the same for every run of one app by one user."""
    digest = hashlib.sha256(str(app.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"functions-host-{os.getuid()}-{digest}"


def worker_count(options: Options, environment: Mapping[str, str]) -> int:
    """Return how many workers to run.

    Raises:
        ValueError: FUNCTIONS_WORKER_PROCESS_COUNT is not a number from 1 to 10.
    """
    if options.workers is not None:
        return options.workers
    text = environment.get("FUNCTIONS_WORKER_PROCESS_COUNT", "1")
    if not text.isdecimal() or not 1 <= int(text) <= 10:
        raise ValueError(f"FUNCTIONS_WORKER_PROCESS_COUNT is {text!r}; expected a number from 1 to 10")
    return int(text)
