"""One run: a system with its load, broken by a schedule, judged when it is left alone."""

import json
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from local.binaries import CHECKOUT
from tests.chaos import faults
from tests.chaos.effects import TABLE
from tests.chaos.faults import KINDS, LEASE_SECONDS, Machine
from tests.chaos.schedule import Planned, schedule
from tests.chaos.verdict import Verdict
from tests.chaos.workload import Workload
from tests.factories.local_system import RunningSystem, running_system

# What the product's app consists of; its function_app.py is ours here.
_PACKAGES = ("config", "core", "infrastructure", "jobs", "services", "triggers", "tests", "host.json")
_SETTINGS = {
    "ENGINE_LEASE_SECONDS": str(LEASE_SECONDS),
    "ENGINE_HEARTBEAT_SECONDS": "1",
    # What takes minutes in operation takes seconds here.
    "JANITOR_TASK_WATCHDOG_SCHEDULE": "*/10 * * * * *",
    "JANITOR_JOB_HEALTH_SCHEDULE": "3-59/10 * * * * *",
    "JANITOR_ORPHAN_DETECTOR_SCHEDULE": "6-59/10 * * * * *",
    "JANITOR_WATCHDOG_PERIOD_SECONDS": "10",
    "JANITOR_JOB_HEALTH_PERIOD_SECONDS": "10",
    "JANITOR_ORPHAN_DETECTOR_PERIOD_SECONDS": "10",
    "JANITOR_MINIMUM_AGE_SECONDS": "10",
    "JANITOR_INTERMEDIATES_GRACE_HOURS": "0.005",
    "JANITOR_LEASE_SECONDS": "15",
    "JANITOR_PATIENCE_SECONDS": "2",
    "JANITOR_BUDGET_SECONDS": "8",
}
_SUBMITTED_WITHIN = 0.7
_TARGET_SECONDS = 10
_JOBS_END_WITHIN_SECONDS = 300


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Args:
        seed: Its seed.
        seconds: How long faults went on.
        fired: How often each kind of fault met something.
        missed: How often it found nothing to break.
        asked: What the client asked for.
        statuses: How the jobs ended.
        codes: Why those that failed did.
        rescues: Claims that were taken from a dead worker.
        excused: What is wrong for the emulator's sake alone.
        faults: What is wrong.
        refused: What the client asked for in vain, as it may.
        met: What claims ended with, by code; most of them were tried again.
        impossible: Kinds of fault that this machine cannot bring about.
        own_disk: Whether workspaces lay on a disk that could be filled; else files were limited.
        logs: Where the logs are kept, if anything is wrong.
    """

    seed: int
    seconds: float
    fired: Counter[str]
    missed: Counter[str]
    asked: Counter[str]
    statuses: Counter[str]
    codes: Counter[str]
    rescues: int
    excused: Counter[str]
    faults: list[str]
    refused: Counter[str]
    met: Counter[str]
    impossible: set[str]
    own_disk: bool
    logs: Path | None

    def report(self) -> str:
        """Return the run's figures as text."""
        lines = [f"chaos: seed {self.seed}, {self.seconds:g} s of faults"]
        lines += [
            f"  {kind:<18} fired {self.fired[kind]:>3}, met nothing {self.missed[kind]}" for kind in KINDS
        ]
        for title, counter in (
            ("asked", self.asked),
            ("refused, as it may be", self.refused),
            ("ended", self.statuses),
            ("codes", self.codes),
            ("met by claims", self.met),
            ("forgotten by Azurite", self.excused),
        ):
            told = ", ".join(f"{name} {number}" for name, number in sorted(counter.items()))
            lines.append(f"  {title}: {told or 'none'}")
        lines.append(f"  rescued claims: {self.rescues}")
        lines.append(f"  full disk: {'a disk of its own' if self.own_disk else 'a limit of file sizes'}")
        lines += [f"  {kind} cannot be brought about here" for kind in sorted(self.impossible)]
        lines.append(f"  faults of the product: {len(self.faults)}")
        lines += [f"    {fault}" for fault in self.faults]
        return "\n".join([*lines, f"  logs: {self.logs}"] if self.logs else lines)


def run(seconds: float, seed: int) -> Outcome:
    """Break a system for a while and return what became of it."""
    with running_system(_SETTINGS, _prepared) as system:
        with psycopg.connect(system.variables["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(TABLE)
        machine = Machine(system, own_disk=(system.home / "workspace").is_mount())
        workload = Workload(system, seed, seconds * _SUBMITTED_WITHIN)
        workload.upload_samples()
        client = _Client(workload)
        client.start()
        impossible = faults.impossible(own_disk=machine.own_disk)
        kinds = [kind for kind in KINDS if kind not in impossible]
        fired, missed = _break(machine, schedule(kinds, seconds, seed))
        machine.heal()
        client.finish()
        jobs = workload.ended(_JOBS_END_WITHIN_SECONDS)
        verdict = Verdict(workload, machine, jobs)
        found = verdict.faults()
        return Outcome(
            seed=seed,
            seconds=seconds,
            fired=fired,
            missed=missed,
            asked=workload.asked,
            statuses=Counter(job["status"] for job in jobs.values()),
            codes=Counter(job["error"]["code"] for job in jobs.values() if job["error"]),
            faults=found,
            logs=_kept_logs(system) if found else None,
            rescues=_rescues(system),
            met=_met(system),
            excused=verdict.excused,
            refused=workload.refused,
            impossible=impossible,
            own_disk=machine.own_disk,
        )


class _Client(threading.Thread):
    def __init__(self, workload: Workload) -> None:
        super().__init__(name="workload", daemon=True)
        self._workload = workload
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._workload.run()
        except Exception as error:  # noqa: BLE001 - raised where the run waits for its client
            self._error = error

    def finish(self) -> None:
        self.join()
        if self._error is not None:
            raise self._error


@contextmanager
def _prepared(home: Path) -> Iterator[dict[str, str]]:
    """Give a home an app with our job type, and a small disk for workspaces."""
    app = home / "app"
    _make_app(app)
    faults.mount_workspace(home)
    try:
        yield {"TERRANE_APP": str(app)}
    finally:
        faults.unmount_workspace(home)


def _make_app(app: Path) -> None:
    """Make a directory that is the product's app but for its entry point."""
    app.mkdir()
    for name in _PACKAGES:
        (app / name).symlink_to(CHECKOUT / name)
    (app / "function_app.py").symlink_to(CHECKOUT / "tests" / "chaos" / "app" / "function_app.py")
    (app / "product_app.py").symlink_to(CHECKOUT / "function_app.py")


def _break(machine: Machine, planned: list[Planned]) -> tuple[Counter[str], Counter[str]]:
    fired: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    began = time.monotonic()
    for fault in planned:
        time.sleep(max(0.0, began + fault.at - time.monotonic()))
        met = _meets(machine, fault)
        (fired if met else missed)[fault.kind] += 1
        sys.stdout.write(json.dumps({"at": fault.at, "fault": fault.kind, "met": met}) + "\n")
        sys.stdout.flush()
    return fired, missed


def _meets(machine: Machine, fault: Planned) -> bool:
    """Bring a fault about; wait a moment for what it is to break, if that is being restarted."""
    give_up = time.monotonic() + _TARGET_SECONDS
    while not KINDS[fault.kind](machine, fault.choice):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.2)
    return True


def _kept_logs(system: RunningSystem) -> Path:
    return shutil.copytree(system.home / "logs", Path(tempfile.mkdtemp(prefix="terrane-chaos-"), "logs"))


def _met(system: RunningSystem) -> Counter[str]:
    with psycopg.connect(system.variables["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT error ->> 'code', count(*) FROM app.events "
            "WHERE subject = 'task' AND error ? 'code' GROUP BY 1"
        )
        return Counter({str(code): int(number) for code, number in rows})


def _rescues(system: RunningSystem) -> int:
    with psycopg.connect(system.variables["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT coalesce(sum(rescues), 0) FROM app.tasks").fetchone()
    return int(row[0]) if row else 0
