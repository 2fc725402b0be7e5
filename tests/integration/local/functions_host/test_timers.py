"""Timer triggers in a running host."""

import json
import os
import signal
from datetime import UTC, datetime, timedelta

from tests.fixtures.processes import wait_until
from tests.integration.local.functions_host.host_process import launch, write_app

TICK = """
@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%", run_on_startup=STARTUP)
def tick(timer: func.TimerRequest) -> None:
    note(json.dumps([os.getpid(), timer.past_due]))
"""


def test_a_timer_runs_in_one_worker_only_and_in_its_replacement(start_host) -> None:
    host = start_host(TICK.replace("STARTUP", "False"), "--workers", "2", SCHEDULE="* * * * * *")
    wait_until(lambda: len(host.notes()) >= 3, 30)
    [runner] = {json.loads(line)[0] for line in host.notes()}

    os.kill(runner, signal.SIGKILL)

    wait_until(lambda: json.loads(host.notes()[-1])[0] != runner, 30)


def test_runs_of_one_timer_never_overlap(start_host) -> None:
    source = """
    @app.timer_trigger(arg_name="timer", schedule="* * * * * *")
    def tick(timer: func.TimerRequest) -> None:
        note("started")
        time.sleep(1.3)
        note("ended")
    """

    host = start_host(source)

    wait_until(lambda: len(host.notes()) >= 6, 40)
    assert host.notes()[:6] == ["started", "ended"] * 3


def test_a_failing_timer_runs_again(start_host) -> None:
    source = """
    @app.timer_trigger(arg_name="timer", schedule="* * * * * *")
    def tick(timer: func.TimerRequest) -> None:
        note("run")
        raise RuntimeError("no")
    """

    host = start_host(source)

    wait_until(lambda: len(host.notes()) >= 2, 30)


def test_run_on_startup_runs_at_once(start_host) -> None:
    host = start_host(TICK.replace("STARTUP", "True"), SCHEDULE="0 0 0 29 2 *")

    wait_until(lambda: bool(host.notes()), 30)
    assert [json.loads(line)[1] for line in host.notes()] == [False]


def test_an_occurrence_that_was_missed_is_made_up_for_once(tmp_path) -> None:
    app = write_app(tmp_path, TICK.replace("STARTUP", "False"))
    state = app / "state" / "timers" / "tick.json"
    state.parent.mkdir(parents=True)
    missed = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    state.write_text(json.dumps({"Last": None, "Next": missed, "Schedule": "0 0 0 29 2 *"}))

    for _ in range(2):
        host = launch(app, SCHEDULE="0 0 0 29 2 *")
        host.wait_ready()
        wait_until(lambda: json.loads(state.read_text())["Next"] > missed, 30)
        host.stop()

    assert [json.loads(line)[1] for line in host.notes()] == [True]
