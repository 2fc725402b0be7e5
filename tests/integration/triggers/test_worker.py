"""The plain worker as a process of its own, on a real database, bus and blob store."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.settings import DatabaseSettings, Settings
from core.models.records import JobRecord
from core.submission import SubmitRequest
from tests.fixtures.azurite import AzuriteServer
from tests.fixtures.processes import wait_until
from tests.fixtures.servicebus import BusServer
from triggers.bootstrap import App

CHECKOUT = Path(__file__).parents[3]

Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def variables(
    monkeypatch: pytest.MonkeyPatch,
    database_settings: DatabaseSettings,
    fresh_bus: BusServer,
    azurite: AzuriteServer,
    tmp_path: Path,
) -> None:
    settings = {
        "POSTGIS_HOST": database_settings.host,
        "POSTGIS_PORT": str(database_settings.port),
        "POSTGIS_DATABASE": database_settings.database,
        "POSTGIS_USER": database_settings.user,
        "POSTGIS_PASSWORD": "trusted anyway",
        "POSTGIS_SSLMODE": "disable",
        "STORAGE_CONNECTION_STRING": azurite.connection_string(),
        "ServiceBusConnection": fresh_bus.connection_string,
        "SERVICE_BUS_SEND_TIMEOUT_SECONDS": "5",
        "ENGINE_WORKSPACE": str(tmp_path),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def here(variables: None) -> Iterator[App]:
    """Return the app of a process that only submits."""
    app = App(Settings())
    with closing(app.database), closing(app.queue), closing(app.blobs):
        yield app


@pytest.fixture
def start(variables: None, tmp_path: Path) -> Iterator[Start]:
    """Start workers; none outlives the test."""
    started: list[subprocess.Popen[bytes]] = []

    def worker(lane: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "triggers.worker", lane]
            process = subprocess.Popen(command, cwd=CHECKOUT, env=dict(os.environ), stderr=log)
        started.append(process)
        return process

    yield worker
    for process in started:
        process.kill()
        process.wait()


def submit(here: App, **parameters: object) -> str:
    return here.submission.submit(SubmitRequest("hello_world", dict(parameters))).job_id


def job(here: App, job_id: str) -> JobRecord:
    found = here.jobs.get(job_id)
    assert found is not None
    return found


def test_a_worker_takes_a_job_from_its_bell_to_its_end(here: App, start: Start) -> None:
    worker = start("light")

    job_id = submit(here, n=30)

    wait_until(lambda: job(here, job_id).ended, 60)
    assert job(here, job_id).status == "completed"
    assert {event.worker for event in here.jobs.events(job_id, 500, 0) if event.subject == "task"} == {
        f"{os.uname().nodename}:{worker.pid}"
    }


def test_a_worker_that_is_asked_to_end_gives_its_task_to_the_next(here: App, start: Start) -> None:
    first = start("light")
    job_id = submit(here, n=1, sleep_seconds=5)
    wait_until(lambda: job(here, job_id).stages[0].tasks.processing == 1, 60)

    first.send_signal(signal.SIGTERM)

    first.wait(30)
    start("light")
    wait_until(lambda: job(here, job_id).ended, 60)
    ends = [event.event for event in here.jobs.events(job_id, 500, 0) if event.stage == 1 and event.task_id]
    assert job(here, job_id).status == "completed"
    assert ends == ["completed", "release", "completed"]
