"""`up`, `down`, `env`, `status`: the commands around the supervisor."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from local import logfiles, processes, supervisor
from local.accounts import Launch
from local.binaries import CHECKOUT
from local.environment import Addresses, client_environment, export_lines
from local.home import DEFAULT_PORT, Home
from local.ports import is_free, remembered_ports
from local.readiness import is_ready, why_not_ready
from local.services import PICKED, System
from local.terminal import complain, say

_UP_WITHIN = timedelta(seconds=300)
_DOWN_WITHIN = timedelta(seconds=180)
_POLL_SECONDS = 0.2


class NotRunning(Exception):
    """No system runs in this home."""


def up(home: Home) -> int:
    """Start the system of a home in the background and return when it is ready.

    Returns:
        0 when it answers, also if it ran already; 1 when it could not be started.
    """
    with home.locked():
        running = processes.recorded(home).get(supervisor.NAME)
        if running is not None and running.is_alive:
            return _join(home)
        stop_leftovers(home)
        port = _http_port()
        if not is_free(port):
            complain(f"port {port} is taken by another program: type `TERRANE_PORT=N make up`")
            return 1
        addresses = Addresses(home, port, remembered_ports(home, PICKED))
        process = _start_supervisor(addresses)
        try:
            return _await_ready(addresses, lambda: process.poll() is None)
        except KeyboardInterrupt:
            complain("interrupted: stopping what was started")
            _stop_supervisor(home)
            return 130


def down(home: Home) -> int:
    """Stop every process that `up` started in a home, the supervisor first."""
    with home.locked():
        stopped = _stop_supervisor(home)
        stopped += stop_leftovers(home)
    say("Terrane is stopped." if stopped else "Terrane was not running.")
    return 0


def env(home: Home) -> int:
    """Print what points a client at the running system, for a shell to evaluate."""
    try:
        addresses = running_addresses(home)
    except NotRunning:
        complain("Terrane is not running: type `make up`")
        return 1
    for line in export_lines(client_environment(addresses)):
        say(line)
    return 0


def status(home: Home) -> int:
    """Print each process of the system; exit code 0 only if it is ready."""
    for name, record in processes.recorded(home).items():
        say(f"{name:<12} {'running' if record.is_alive else 'dead':<8} pid {record.pid}")
    try:
        addresses = running_addresses(home)
    except NotRunning:
        say("Terrane is not running.")
        return 1
    reason = why_not_ready(addresses.url)
    say(f"Terrane at {addresses.url} is {'ready' if reason is None else f'not ready: {reason}'}")
    return 0 if reason is None else 1


def supervise(home: Home) -> int:
    """Run the supervisor in this process, on the addresses that `up` chose."""
    start = home.read("start")
    addresses = Addresses(home, start["http_port"], start["ports"])
    workers = int(os.environ.get("TERRANE_WORKERS") or 2)
    app = Path(os.environ.get("TERRANE_APP") or CHECKOUT).absolute()
    return supervisor.Supervisor(System(addresses, app, workers)).run()


def running_addresses(home: Home) -> Addresses:
    """Return where the system of a home answers.

    Raises:
        NotRunning: None of its processes runs.
    """
    start = home.read("start")
    if not start or not any(record.is_alive for record in processes.recorded(home).values()):
        raise NotRunning(str(home.root))
    return Addresses(home, start["http_port"], start["ports"])


def stop_leftovers(home: Home) -> int:
    """Stop what a killed supervisor left behind; return the number of processes that still ran."""
    left = processes.recorded(home)
    found = 0
    # The host first and the database last, as the supervisor does it.
    for name in sorted(left, key=_stop_order):
        if left[name].is_alive or processes.members(left[name]):
            found += 1
            how = signal.SIGINT if name == "postgres" else signal.SIGTERM
            processes.stop(left[name], with_signal=how, grace=timedelta(seconds=40))
        processes.forget(home, name)
    return found


def _stop_order(name: str) -> int:
    order = ("supervisor", "migrate", "functions", "servicebus", "azurite", "postgres")
    return order.index(name) if name in order else 0


def _join(home: Home) -> int:
    addresses = running_addresses(home)
    if is_ready(addresses.url):
        say(f"Terrane runs already at {addresses.url}; `make down` stops it.")
        return 0
    say(f"Terrane was started already at {addresses.url}; waiting until it is ready.")
    record = processes.recorded(home)[supervisor.NAME]
    return _await_ready(addresses, lambda: record.is_alive)


def _http_port() -> int:
    return int(os.environ.get("TERRANE_PORT") or DEFAULT_PORT)


def _start_supervisor(addresses: Addresses) -> subprocess.Popen[bytes]:
    home = addresses.home
    home.write("start", {"http_port": addresses.http_port, "ports": dict(addresses.ports)})
    home.write("state", {"phase": "starting"})
    environment = {**os.environ, "TERRANE_HOME": str(home.root)}
    launch = Launch((sys.executable, "-m", "local", "supervise"))
    process = launch.start(environment, CHECKOUT, home.log(supervisor.NAME))
    processes.remember(home, supervisor.NAME, process.pid)
    return process


def _await_ready(addresses: Addresses, is_alive: Callable[[], bool]) -> int:
    home, shown = addresses.home, ""
    deadline = time.monotonic() + _UP_WITHIN.total_seconds()
    while time.monotonic() < deadline:
        state = home.read("state")
        step = state.get("detail") if state.get("phase") == "starting" else "the first answer"
        if step and step != shown:
            say(f"starting: {step}")
            shown = str(step)
        if state.get("phase") == "running" and is_ready(addresses.url):
            say(f"Terrane answers at {addresses.url}; `make down` stops it.")
            return 0
        if not is_alive():
            return _explain(home, str(state.get("detail") or "the supervisor ended"), state.get("culprit"))
        time.sleep(_POLL_SECONDS)
    reason = why_not_ready(addresses.url) or "it became ready too late"
    code = _explain(home, f"not ready within {_UP_WITHIN.seconds} s: {reason}", "functions")
    _stop_supervisor(home)
    return code


def _explain(home: Home, reason: str, culprit: object) -> int:
    complain(f"Terrane could not be started: {reason}")
    for name in dict.fromkeys([str(culprit or supervisor.NAME), supervisor.NAME]):
        lines = logfiles.tail(home.log(name))
        if lines:
            complain(f"\nThe end of {home.log(name)}:")
            complain("\n".join(f"  {line}" for line in lines))
    return 1


def _stop_supervisor(home: Home) -> int:
    record = processes.recorded(home).get(supervisor.NAME)
    if record is None or not record.is_alive:
        return 0
    os.kill(record.pid, signal.SIGTERM)
    if not processes.wait_for_end(record, _DOWN_WITHIN):
        os.kill(record.pid, signal.SIGKILL)
    stop_leftovers(home)
    return 1
