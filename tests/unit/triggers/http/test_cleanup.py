from datetime import timedelta

import pytest

from core import codes
from core.models.janitor import RunStatus
from core.ports.janitor import Report, RunRequest
from tests.factories.clock import ManualClock
from tests.factories.memory_app import Client, MemoryApp

RUN = "/api/cleanup/run"
STATUS = "/api/cleanup/status"
HISTORY = "/api/cleanup/history"
SUBMIT = "/api/jobs/submit/mood"
NOTHING = Report(0, 0, ())


def conditions(client: Client) -> dict[str, str]:
    return {sweep["sweep"]: sweep["condition"] for sweep in client.get(STATUS).json["sweeps"]}


def hold_the_lease(moods: MemoryApp, sweep: str = "job_health") -> int:
    minute = timedelta(minutes=1)
    run_id = moods.app.sweep_runs.begin(RunRequest(sweep, "somebody", "holder", 10 * minute, 2 * minute))
    assert run_id is not None
    return run_id


def test_a_sweep_mends_and_says_what_it_did(client: Client, moods: MemoryApp, clock: ManualClock) -> None:
    job_id = client.post(SUBMIT, {}).json["job_id"]
    moods.state.remove_tasks(list(moods.state.tasks.values()))
    clock.advance(timedelta(minutes=5))

    answer = client.post(f"{RUN}?type=orphan_detector", headers={"X-Terrane-Actor": "ada"})

    assert answer.status == 200
    assert answer.json["status"] == "success"
    assert answer.json["summary"] == {
        "total_scanned": 1,
        "total_fixed": 1,
        "runs_completed": 1,
        "all_success": True,
    }
    [run] = answer.json["results"]
    assert (run["run_type"], run["status"], run["triggered_by"]) == (
        "orphan_detector",
        "completed",
        "http: ada",
    )
    assert run["actions"] == [{"action": "planned again", "number": 1, "items": [job_id]}]
    moods.work()
    assert client.get(f"/api/jobs/{job_id}").json["status"] == "completed"


def test_all_runs_tasks_then_jobs_then_orphans(client: Client, moods: MemoryApp) -> None:
    answer = client.post(f"{RUN}?type=all")

    assert [run["run_type"] for run in answer.json["results"]] == [
        "task_watchdog",
        "job_health",
        "orphan_detector",
    ]


@pytest.mark.parametrize("query", ["", "?type=everything", "?type=all&force=yes"])
def test_what_cannot_be_run_is_refused_and_the_sweeps_are_named(client: Client, query: str) -> None:
    answer = client.post(f"{RUN}{query}")

    assert answer.status == 400
    if "everything" in query:
        assert "orphan_detector" in answer.json["detail"]


def test_a_sweep_that_finds_another_at_work_is_skipped(
    client: Client, moods: MemoryApp, clock: ManualClock
) -> None:
    hold_the_lease(moods)
    moods.app.settings.janitor.patience_seconds = 0

    answer = client.post(f"{RUN}?type=task_watchdog")
    again = client.post(f"{RUN}?type=task_watchdog")

    assert (answer.status, answer.json["status"]) == (200, "partial_failure")
    assert [run["status"] for run in answer.json["results"] + again.json["results"]] == ["skipped"] * 2
    assert conditions(client)["task_watchdog"] == "skipping"
    assert client.get(STATUS).json["status"] == "degraded"


def test_a_database_that_does_not_answer_is_told(client: Client, terrane: MemoryApp) -> None:
    terrane.take_down("sweep_runs", codes.DATABASE_UNAVAILABLE)

    assert client.post(f"{RUN}?type=job_health").status == 503


def test_the_status_of_a_new_system_waits_for_its_first_runs(client: Client, moods: MemoryApp) -> None:
    answer = client.get(STATUS)

    assert answer.json["status"] == "healthy"
    assert set(conditions(client).values()) == {"waiting"}
    assert answer.json["janitor"]["config"]["retention_days"] == 90
    schedules = {sweep["sweep"]: sweep["schedule"] for sweep in answer.json["sweeps"]}
    assert schedules["task_watchdog"] == "0 */5 * * * *"


def test_the_status_shows_each_sweeps_last_run(client: Client, moods: MemoryApp) -> None:
    client.post(f"{RUN}?type=all")

    shown = client.get(STATUS).json

    assert conditions(client) == {
        "task_watchdog": "ok",
        "job_health": "ok",
        "orphan_detector": "ok",
        "prune": "waiting",
    }
    assert shown["janitor"]["last_24_hours"]["total_runs"] == 3
    assert shown["janitor"]["recent_runs"][0]["run_type"] == "orphan_detector"


def test_a_sweep_that_died_is_reported(client: Client, moods: MemoryApp, clock: ManualClock) -> None:
    hold_the_lease(moods)
    clock.advance(timedelta(minutes=3))

    dead = client.get(STATUS).json
    client.post(f"{RUN}?type=task_watchdog")
    buried = client.get(f"{HISTORY}?type=job_health").json["items"][0]

    assert dead["status"] == "degraded"
    assert {s["sweep"]: s["condition"] for s in dead["sweeps"]}["job_health"] == "dead"
    assert (buried["status"], buried["error"]["code"]) == ("failed", "janitor.run_lost")


def test_sweeps_that_nobody_runs_are_reported_and_are_violations(
    client: Client, moods: MemoryApp, clock: ManualClock
) -> None:
    client.post(f"{RUN}?type=task_watchdog")
    clock.advance(timedelta(minutes=22))

    shown = conditions(client)

    assert shown == {
        "task_watchdog": "overdue",
        "job_health": "overdue",
        "orphan_detector": "waiting",
        "prune": "waiting",
    }
    assert client.get("/api/health").json["violations"] == 2


def test_a_run_that_goes_on_is_shown_as_running(client: Client, moods: MemoryApp) -> None:
    hold_the_lease(moods)

    assert conditions(client)["job_health"] == "running"


def test_a_run_that_failed_is_shown(client: Client, moods: MemoryApp) -> None:
    run_id = hold_the_lease(moods)
    error = {"code": "janitor.rule_failed", "message": "it broke"}
    moods.app.sweep_runs.end(run_id, RunStatus.FAILED, NOTHING, error)

    shown = client.get(STATUS).json

    [sweep] = [one for one in shown["sweeps"] if one["sweep"] == "job_health"]
    assert (sweep["condition"], sweep["last_run"]["error"]["message"]) == ("failing", "it broke")
    assert "it broke" in sweep["sentence"]


def test_a_disabled_janitor_says_so(client: Client, moods: MemoryApp) -> None:
    moods.app.settings.janitor.enabled = False

    shown = client.get(STATUS).json

    assert (shown["status"], shown["janitor"]["enabled"]) == ("degraded", False)
    assert set(conditions(client).values()) == {"disabled"}


def test_the_history_is_paged_and_filtered(client: Client, moods: MemoryApp, clock: ManualClock) -> None:
    client.post(f"{RUN}?type=prune")
    clock.advance(timedelta(hours=3))
    for _ in range(3):
        client.post(f"{RUN}?type=job_health")

    first = client.get(f"{HISTORY}?limit=3").json
    rest = client.get(first["next"]).json
    recent = client.get(f"{HISTORY}?hours=1&type=prune").json
    old = client.get(f"{HISTORY}?hours=4&type=prune&status=completed").json

    assert [run["run_type"] for run in first["items"]] == ["job_health"] * 3
    assert ([run["run_type"] for run in rest["items"]], rest["next"]) == (["prune"], None)
    assert (recent["items"], len(old["items"])) == ([], 1)


BEYOND_EVERY_NUMBER = "MTAwMDAwMDAwMDAwMDAwMDAwMDAwMA"


@pytest.mark.parametrize("query", ["hours=0", "type=all", "status=dead", f"cursor={BEYOND_EVERY_NUMBER}"])
def test_a_history_that_cannot_be_is_refused(client: Client, query: str) -> None:
    assert client.get(f"{HISTORY}?{query}").status == 400
