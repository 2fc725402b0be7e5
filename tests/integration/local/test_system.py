"""The supervisor with real servers and the smallest app that can be ready."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import BlobServiceClient

from local import processes
from local.binaries import CHECKOUT
from local.home import Home
from local.ports import LOOPBACK
from local.processes import ProcessRecord

SERVERS = {"postgres", "azurite", "servicebus", "functions"}
APP = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("readyz")
def readyz(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("{}", mimetype="application/json")
"""


@dataclass(frozen=True)
class LocalSystem:
    """A system under test, and the commands that a person would type."""

    home: Home
    app: Path
    port: int

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TERRANE_")}
        environment |= {"TERRANE_HOME": str(self.home.root), "TERRANE_PORT": str(self.port)}
        environment |= {"TERRANE_APP": str(self.app), "TERRANE_WORKERS": "1"}
        return subprocess.run(
            [sys.executable, "-m", "local", command],
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    def up(self) -> str:
        ended = self.run("up")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def variables(self) -> dict[str, str]:
        script = self.run("env").stdout
        shell = 'eval "$1"; python3 -c "import json, os; print(json.dumps(dict(os.environ)))"'
        ended = subprocess.run(["sh", "-c", shell, "sh", script], capture_output=True, text=True, check=True)
        found: dict[str, str] = json.loads(ended.stdout)
        return found

    def record(self, name: str) -> ProcessRecord:
        return processes.recorded(self.home)[name]

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", "/api/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def processes(self) -> list[int]:
        """Return every process that has this home in its environment."""
        return [process.pid for process in psutil.process_iter() if self._owns(process)]

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("TERRANE_HOME") == str(self.home.root)
        except psutil.Error:
            return False


@contextmanager
def prepared(directory: Path) -> Iterator[LocalSystem]:
    app = directory / "app"
    app.mkdir(parents=True)
    (app / "function_app.py").write_text(APP)
    (app / "host.json").write_text((CHECKOUT / "host.json").read_text())
    with socket.create_server((LOOPBACK, 0)) as probe:
        port = probe.getsockname()[1]
    system = LocalSystem(Home(directory / "home"), app, port)
    try:
        yield system
    finally:
        system.run("down")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    with prepared(tmp_path_factory.mktemp("running")) as system:
        system.up()
        yield system


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[LocalSystem]:
    with prepared(tmp_path) as system:
        yield system


def wait_until(holds: Callable[[], bool], within: timedelta = timedelta(seconds=60)) -> None:
    deadline = time.monotonic() + within.total_seconds()
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_what_env_prints_reaches_every_server(running: LocalSystem) -> None:
    variables = running.variables()

    with BlobServiceClient.from_connection_string(variables["AZURE_STORAGE_CONNECTION_STRING"]) as blobs:
        containers = {container.name for container in blobs.list_containers()}
    with ServiceBusClient.from_connection_string(variables["SERVICEBUS_CONNECTION_STRING"]) as bus:
        with bus.get_queue_sender("terrane-light") as sender:
            sender.send_messages(ServiceBusMessage("ring"))
        with bus.get_queue_receiver("terrane-light", max_wait_time=30) as receiver:
            [message] = receiver.receive_messages(1)
            receiver.complete_message(message)
    assert urlsplit(variables["TERRANE_URL"]).port == running.port
    assert containers == {
        "bronze-rasters",
        "bronze-vectors",
        "silver-cogs",
        "silver-mosaicjson",
        "silver-vectors",
        "rmhazuregeotemp",
    }
    assert str(message) == "ring"


@pytest.mark.parametrize("name", ["DATABASE_URL", "BUSINESS_DATABASE_URL"])
def test_both_databases_have_postgis_and_let_the_owner_create_schemas(
    running: LocalSystem, name: str
) -> None:
    with psycopg.connect(running.variables()[name]) as connection:
        connection.execute("CREATE SCHEMA tried")
        row = connection.execute("SELECT postgis_version() IS NOT NULL, current_user").fetchone()
        connection.rollback()

    assert row == (True, "terrane_owner")


def test_env_prints_nothing_but_exports(running: LocalSystem) -> None:
    printed = running.run("env")

    assert printed.returncode == 0
    assert [line.partition("=")[0] for line in printed.stdout.splitlines()] == [
        "export TERRANE_URL",
        "export AZURE_STORAGE_CONNECTION_STRING",
        "export DATABASE_URL",
        "export BUSINESS_DATABASE_URL",
        "export SERVICEBUS_CONNECTION_STRING",
    ]


def test_a_second_up_says_that_it_runs(running: LocalSystem) -> None:
    before = {name: running.record(name) for name in SERVERS}

    printed = running.up()

    assert "runs already" in printed
    assert {name: running.record(name) for name in SERVERS} == before


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_killed_server_is_started_again(running: LocalSystem, name: str) -> None:
    url = running.variables()["DATABASE_URL"]
    killed = running.record(name)

    os.kill(killed.pid, signal.SIGKILL)

    wait_until(lambda: running.record(name) != killed and running.record(name).is_alive)
    wait_until(running.is_ready)
    wait_until(lambda: answers(url))


def test_two_systems_run_side_by_side(running: LocalSystem, stopped: LocalSystem) -> None:
    stopped.up()

    first, second = running.variables(), stopped.variables()

    own = ("TERRANE_URL", "AZURE_STORAGE_CONNECTION_STRING", "DATABASE_URL", "SERVICEBUS_CONNECTION_STRING")
    assert all(first[name] != second[name] for name in own)
    assert stopped.run("down").returncode == 0
    assert running.is_ready()


def test_down_keeps_the_data_and_leaves_no_process(stopped: LocalSystem) -> None:
    stopped.up()
    before = stopped.variables()
    with psycopg.connect(before["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with BlobServiceClient.from_connection_string(before["AZURE_STORAGE_CONNECTION_STRING"]) as blobs:
        blobs.get_blob_client("silver-cogs", "kept").upload_blob(b"kept")

    stopped.run("down")
    left = stopped.processes()
    stopped.up()

    after = stopped.variables()
    with psycopg.connect(after["DATABASE_URL"]) as connection:
        kept = connection.execute("SELECT answer FROM kept").fetchone()
    with BlobServiceClient.from_connection_string(after["AZURE_STORAGE_CONNECTION_STRING"]) as blobs:
        blob = blobs.get_blob_client("silver-cogs", "kept").download_blob().readall()
    assert left == []
    assert kept == (42,)
    assert blob == b"kept"


def test_what_a_killed_supervisor_left_is_taken_over(stopped: LocalSystem) -> None:
    stopped.up()
    before = {name: stopped.record(name) for name in SERVERS}
    supervisor = stopped.record("supervisor")
    os.kill(supervisor.pid, signal.SIGKILL)
    processes.wait_for_end(supervisor, timedelta(seconds=10))

    stopped.up()

    assert stopped.is_ready()
    assert not any(record.is_alive for record in before.values())
    assert all(stopped.record(name).is_alive for name in SERVERS)


def test_down_ends_what_a_killed_supervisor_left(stopped: LocalSystem) -> None:
    stopped.up()
    supervisor = stopped.record("supervisor")
    os.kill(supervisor.pid, signal.SIGKILL)
    processes.wait_for_end(supervisor, timedelta(seconds=10))

    ended = stopped.run("down")

    assert ended.returncode == 0
    assert stopped.processes() == []


def test_a_home_from_a_crash_of_the_machine_is_taken_over(stopped: LocalSystem) -> None:
    stopped.up()
    ports = stopped.home.read("ports")
    os.kill(stopped.record("supervisor").pid, signal.SIGKILL)
    wait_until(lambda: kill_all(stopped.processes()) == [])
    # After a reboot an unrelated process has the id of the database server.
    lock = stopped.home.root / "postgres" / "data" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    with socket.create_server((LOOPBACK, ports["azurite"])):
        stopped.up()

    assert stopped.home.read("ports")["azurite"] != ports["azurite"]
    assert stopped.is_ready()


def kill_all(pids: list[int]) -> list[int]:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return pids


def test_a_taken_port_is_named_and_nothing_is_left_running(stopped: LocalSystem) -> None:
    with socket.create_server((LOOPBACK, stopped.port)):
        ended = stopped.run("up")

    assert ended.returncode == 1
    assert f"port {stopped.port} is taken" in ended.stderr
    assert stopped.processes() == []


def test_an_app_that_cannot_start_is_explained_by_its_log(stopped: LocalSystem) -> None:
    (stopped.app / "function_app.py").write_text("raise ValueError('the app is broken')\n")

    ended = stopped.run("up")

    assert ended.returncode == 1
    assert "the app is broken" in ended.stderr
    assert stopped.processes() == []


def test_down_of_what_does_not_run_is_no_error(stopped: LocalSystem) -> None:
    ended = stopped.run("down")

    assert ended.returncode == 0
    assert "not running" in ended.stdout


def test_env_of_what_does_not_run_fails_and_prints_nothing(stopped: LocalSystem) -> None:
    ended = stopped.run("env")

    assert ended.returncode == 1
    assert ended.stdout == ""
