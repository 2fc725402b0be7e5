"""The engine without the bus: workers on the real database whose bells stay in memory.

``python -m benchmarks.engine_alone N MESSAGE NUMBER`` is one of those workers.
"""

import sys
import time

from benchmarks.started import seconds_of
from benchmarks.system import System
from core.bells import Bells
from core.identity import job_id
from core.machine import LANES
from core.submission import SubmitRequest
from infrastructure.clock import SystemClock
from infrastructure.memory.queue import InMemoryQueue
from triggers.bootstrap import App, app

_WORKERS = 2
_LOOK_EVERY = 0.002


def rate(local: System, tasks: int) -> float:
    """Return tasks a second of one job that two processes of their own submit and run.

    Args:
        local: Its database is used; its host sleeps, because nobody rings.
        tasks: Of the job.
    """
    command = [sys.executable, "-m", "benchmarks.engine_alone", str(tasks // 2), str(time.time())]
    return tasks / seconds_of([[*command, str(number)] for number in range(_WORKERS)], local.application())


def _without_bus() -> App:
    """Return the app of this process with bells that nobody else hears."""
    here = app()
    here.__dict__["queue"] = InMemoryQueue(SystemClock(), LANES)
    here.__dict__["bells"] = Bells(here.queue, here.jobs, here.tasks, here.settings.engine.bells)
    return here


def main(n: int, message: str, number: int) -> None:
    """Submit the job, as the first worker, and work until it has completed."""
    here = _without_bus()
    here.machine.answer_bell("light")
    request = SubmitRequest("hello_world", {"n": n, "message": message})
    job = job_id(request.job_type, request.parameters)
    print("ready", flush=True)
    sys.stdin.readline()
    if number == 0:
        here.submission.submit(request)
    while here.jobs.statuses([job]).get(job) != "completed":
        # Nobody rings for this process while the other one plans, so it looks.
        if not here.machine.answer_bell("light"):
            time.sleep(_LOOK_EVERY)
    print("done", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
