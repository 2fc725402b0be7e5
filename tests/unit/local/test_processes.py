import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from local import processes
from local.home import Home
from local.processes import ProcessRecord

# Says when it is ready, so that no test has to guess.
IGNORES_TERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
WITH_CHILD = (
    "import subprocess, sys, time;"
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True);"
    "time.sleep(600)"
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        process.kill()
        process.communicate()


def start(started: list[subprocess.Popen[str]], code: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    started.append(process)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_record_is_found_again(home: Home) -> None:
    record = processes.remember(home, "me", os.getpid())

    assert processes.recorded(home) == {"me": record}
    assert record.is_alive


def test_another_process_with_the_same_id_is_not_taken_for_the_recorded_one() -> None:
    record = ProcessRecord("other", os.getpid(), "an earlier boot/1")

    assert not record.is_alive
    assert processes.members(record) == []
    assert processes.stop(record, with_signal=signal.SIGTERM, grace=timedelta(seconds=1))


def test_a_zombie_is_not_alive(home: Home, started: list[subprocess.Popen[str]]) -> None:
    process, _ = start(started, IGNORES_TERM)
    record = processes.remember(home, "zombie", process.pid)

    os.kill(process.pid, signal.SIGKILL)

    assert processes.wait_for_end(record, timedelta(seconds=10))


def test_a_process_that_ignores_the_signal_is_killed(
    home: Home, started: list[subprocess.Popen[str]]
) -> None:
    process, _ = start(started, IGNORES_TERM)
    record = processes.remember(home, "stubborn", process.pid)

    by_itself = processes.stop(record, with_signal=signal.SIGTERM, grace=timedelta(seconds=0.2))

    assert not by_itself
    assert not record.is_alive


def test_what_outlives_its_leader_is_killed(home: Home, started: list[subprocess.Popen[str]]) -> None:
    process, child = start(started, WITH_CHILD)
    record = processes.remember(home, "leader", process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert processes.members(record) == [int(child)]

    processes.stop(record, with_signal=signal.SIGTERM, grace=timedelta(seconds=1))

    assert processes.members(record) == []


def test_a_forgotten_record_is_gone(home: Home) -> None:
    processes.remember(home, "me", os.getpid())

    processes.forget(home, "me")
    processes.forget(home, "me")

    assert processes.recorded(home) == {}
