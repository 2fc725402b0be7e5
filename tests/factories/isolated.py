"""Functions for isolated children, without GDAL."""

import contextlib
import ctypes
import logging
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from core.errors import ErrorCode, InvalidInput, TaskFailed, TransientError, Violation
from core.isolation import Child

BROKEN = ErrorCode("test.broken", "It is broken", "Mend it.")
BUSY = ErrorCode("test.busy", "It is busy", "Wait.", retryable=True)


class Number(BaseModel):
    value: float = 0


class Answer(BaseModel):
    value: Any = None


def double(parameters: Number, child: Child) -> Answer:
    return Answer(value=2 * parameters.value)


def give_nan(parameters: Number, child: Child) -> Answer:
    return Answer(value=float("nan"))


def give_megabytes(parameters: Number, child: Child) -> Answer:
    return Answer(value="x" * int(parameters.value * 1024 * 1024))


def write_file(parameters: Number, child: Child) -> Answer:
    (child.workspace / "number.txt").write_text(str(parameters.value))
    return Answer(value=str(child.workspace))


def write_relative_file(parameters: Number, child: Child) -> Answer:
    Path("number.txt").write_text(str(parameters.value))
    return Answer()


def report(parameters: Number, child: Child) -> Answer:
    child.progress(parameters.value, "on the way")
    return Answer(value="done")


def report_often(parameters: Number, child: Child) -> Answer:
    for step in range(10_000):
        child.progress(step / 10_000, "on the way")
    return Answer()


def report_for_ever(parameters: Number, child: Child) -> Answer:
    while True:
        child.progress(0.5, "on the way")
        time.sleep(0.01)


def swallow_what_progress_raises(parameters: Number, child: Child) -> Answer:
    with contextlib.suppress(Exception):
        child.progress(0.5, "on the way")
    return Answer()


def wrap_what_progress_raises(parameters: Number, child: Child) -> Answer:
    try:
        child.progress(0.5, "on the way")
    except Exception as error:
        raise ValueError("wrapped") from error
    return Answer()


def fail(parameters: Number, child: Child) -> Answer:
    raise TaskFailed(BROKEN, f"{parameters.value} is broken", value=parameters.value, parts=["a", "b"])


def refuse(parameters: Number, child: Child) -> Answer:
    raise InvalidInput(BROKEN, "two faults", (Violation("value", "is too small", parameters.value),))


def be_busy(parameters: Number, child: Child) -> Answer:
    raise TransientError(BUSY, "the storage is busy")


def fail_with_the_address(parameters: Number, child: Child) -> Answer:
    logging.getLogger("isolated").warning("cannot read %s", child.read_url)
    raise TaskFailed(BROKEN, f"cannot read {child.read_url}")


def raise_unexpectedly(parameters: Number, child: Child) -> Answer:
    raise ZeroDivisionError("by nought")


def return_nothing(parameters: Number, child: Child) -> None:
    return None


def take_anything(parameters: Any, child: Child) -> Answer:
    return Answer()


def abort(parameters: Number, child: Child) -> Answer:
    os.abort()


def read_null(parameters: Number, child: Child) -> Answer:
    return Answer(value=str(ctypes.string_at(0)))


def kill_itself(parameters: Number, child: Child) -> Answer:
    os.kill(os.getpid(), signal.SIGKILL)
    return Answer()


def leave(parameters: Number, child: Child) -> Answer:
    sys.exit(3)


def exit_at_once(parameters: Number, child: Child) -> Answer:
    os._exit(int(parameters.value))


def loop(parameters: Number, child: Child) -> Answer:
    write_pid(child)
    while True:
        pass


def hang(parameters: Number, child: Child) -> Answer:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    write_pid(child)
    while True:
        time.sleep(60)


def hoard(parameters: Number, child: Child) -> Answer:
    blocks = []
    while True:
        blocks.append(bytearray(os.urandom(1024)) * 1024)


def send_garbage(parameters: Number, child: Child) -> Answer:
    """Write to the runner as a child would that a file has taken over."""
    text = [b"no json", b"{}", b'{"progress": "x"}', b'{"error": {"kind": "SystemExit"}}', b"[]"][
        int(parameters.value)
    ]
    for descriptor in range(3, 64):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, len(text).to_bytes(4, "big") + text)
    while True:
        time.sleep(60)


def start_a_process(parameters: Number, child: Child) -> Answer:
    return Answer(value=subprocess.Popen(["sleep", "600"]).pid)


def show_process(parameters: Number, child: Child) -> Answer:
    return Answer(
        value={
            "pid": os.getpid(),
            "parent": os.getppid(),
            "environment": dict(os.environ),
            "directory": str(Path.cwd()),
            "threads": threading.active_count(),
        }
    )


def shout(parameters: Number, child: Child) -> Answer:
    sys.stdout.write("from print\n")
    os.write(2, b"from native code\n" * int(parameters.value))
    logging.getLogger("isolated").info("from logging")
    return Answer()


def import_from_the_workspace(parameters: Number, child: Child) -> Answer:
    (child.workspace / "planted.py").write_text("raise SystemExit('planted code ran')")
    try:
        __import__("planted")
    except ImportError:
        return Answer(value="not found")
    return Answer(value="imported")


def write_pid(child: Child) -> None:
    pending = child.workspace / "pid.tmp"
    pending.write_text(str(os.getpid()))
    pending.rename(child.workspace / "pid")
