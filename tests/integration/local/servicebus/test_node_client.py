import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient

from tests.integration.local.servicebus.emulator import HERE, REPOSITORY, Broker

NODE = HERE / "node"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Install what the lock file says, once for each state of it."""
    terrane = Path(os.environ.get("TERRANE_HOME") or REPOSITORY / ".terrane").resolve()
    home = terrane / "npm" / "servicebus-client"
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("no Node.js: install nodejs and npm (apt) or node (brew)")
    home.mkdir(parents=True, exist_ok=True)
    wanted = (NODE / "package-lock.json").read_bytes()
    installed = home / "installed-lock.json"
    # Two test runs that start at once must not install over one another.
    with (home / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_bytes() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(NODE / name, home / name)
            command = [npm, "ci", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=home, check=True, timeout=600, capture_output=True)
            installed.write_bytes(wanted)
    return home / "node_modules"


def run(scenario: str, broker: Broker, node_modules: Path) -> Any:
    environment = {
        **os.environ,
        "NODE_PATH": str(node_modules),
        "CONNECTION_STRING": broker.connection_string,
    }
    ended = subprocess.run(
        ["node", str(NODE / "scenarios.js"), scenario],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_it_sends_receives_and_completes(broker: Broker, node_modules: Path) -> None:
    result = run("roundTrip", broker, node_modules)

    assert result == {
        "bodies": [{"nested": [1, "two"]}, "first of a batch", "second of a batch"],
        "subject": "greeting",
        "properties": {"count": 3, "flag": True},
        "left": 0,
    }


def test_it_settles_in_every_way(broker: Broker, node_modules: Path) -> None:
    result = run("settlements", broker, node_modules)

    assert result == {
        "abandoned": ["abandon", 1, {"tried": "once"}],
        "deferred": "defer",
        "dead": ["bury", "bad", "no colon", 5],
    }


def test_it_schedules_cancels_and_peeks(broker: Broker, node_modules: Path) -> None:
    result = run("schedule", broker, node_modules)

    assert result == {"soon": "soon", "peeked": [["kept", "scheduled"], ["soon", "active"]]}


def test_its_late_complete_is_refused(broker: Broker, node_modules: Path) -> None:
    result = run("locks", broker, node_modules)

    assert result == {"renewed": True, "refusal": "MessageLockLost", "deliveryCount": 1}


def test_it_subscribes_and_gets_nothing_more_once_closed(broker: Broker, node_modules: Path) -> None:
    result = run("subscribe", broker, node_modules)

    assert result == {"bodies": list(range(20)), "after": "after"}


def test_it_is_told_why_it_was_refused(broker: Broker, node_modules: Path) -> None:
    result = run("refusals", broker, node_modules)

    assert result == {"unknown": "MessagingEntityNotFound", "large": "MessageSizeExceeded"}


def test_both_clients_understand_each_other(
    broker: Broker, client: ServiceBusClient, node_modules: Path
) -> None:
    run("schedule", broker, node_modules)

    with client.get_queue_receiver("orders") as receiver:
        peeked = receiver.peek_messages(10, sequence_number=1)
        [kept, held] = peeked

    # The client for Node writes JSON.
    assert [b"".join(message.body) for message in (kept, held)] == [b'"kept"', b'"soon"']
