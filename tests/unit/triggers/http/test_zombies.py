from datetime import timedelta

import pytest

from tests.factories.clock import ManualClock
from tests.factories.memory_app import Client, MemoryApp

ZOMBIES = "/api/dbadmin/zombie-tasks"
SUBMIT = "/api/jobs/submit/mood"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def job_id(client: Client, moods: MemoryApp) -> str:
    """A job whose one task is held by a worker that does nothing for the five minutes of its lease."""
    submitted: str = client.post(SUBMIT, {}).json["job_id"]
    moods.claim()
    return submitted


def test_a_worker_that_beats_is_no_zombie(client: Client, job_id: str) -> None:
    assert client.get(ZOMBIES).json["items"] == []


def test_a_silent_worker_is_listed_with_what_becomes_of_its_task(
    client: Client, moods: MemoryApp, clock: ManualClock, job_id: str
) -> None:
    clock.advance(MINUTE)

    [zombie] = client.get(ZOMBIES).json["items"]

    assert (zombie["job_id"], zombie["worker"], zombie["kind"]) == (job_id, "idler", "plan")
    assert (zombie["silent_seconds"], zombie["age_seconds"], zombie["progress"]) == (60, 60, None)
    assert (zombie["action"], zombie["not_before"]) == ("requeue", zombie["lease_until"])
    assert "rescue 1 of 5" in zombie["sentence"]


def test_the_watchdog_does_at_the_time_told_what_it_was_to_do(
    client: Client, moods: MemoryApp, clock: ManualClock, job_id: str
) -> None:
    client.post("/api/cleanup/run?type=task_watchdog")
    clock.advance(MINUTE)
    [zombie] = client.get(ZOMBIES).json["items"]
    clock.advance(9 * MINUTE)

    ran = client.post("/api/cleanup/run?type=task_watchdog").json["results"][0]

    assert zombie["due_by"] == ran["started_at"]
    assert [action["action"] for action in ran["actions"]] == ["rescued"]
    assert client.get(ZOMBIES).json["items"] == []


def test_a_task_whose_workers_died_again_and_again_will_fail(
    client: Client, moods: MemoryApp, clock: ManualClock, job_id: str
) -> None:
    for task in moods.state.tasks.values():
        task.rescues = 5
    clock.advance(MINUTE)

    [zombie] = client.get(ZOMBIES).json["items"]

    assert zombie["action"] == "fail"
    assert "task.worker_lost" in zombie["sentence"]


def test_a_task_past_its_deadline_will_fail(
    client: Client, moods: MemoryApp, clock: ManualClock, job_id: str
) -> None:
    for task in moods.state.tasks.values():
        task.deadline = clock.now()
    clock.advance(MINUTE)

    [zombie] = client.get(ZOMBIES).json["items"]

    assert (zombie["action"], "task.deadline" in zombie["sentence"]) == ("fail", True)


def test_a_task_of_a_stopping_job_will_be_cancelled(
    client: Client, clock: ManualClock, moods: MemoryApp, job_id: str
) -> None:
    client.post(f"/api/jobs/{job_id}/cancel")
    clock.advance(MINUTE)

    [zombie] = client.get(ZOMBIES).json["items"]

    assert zombie["action"] == "cancel"


def test_a_watchdog_that_is_overdue_promises_nothing(
    client: Client, clock: ManualClock, moods: MemoryApp, job_id: str
) -> None:
    clock.advance(12 * MINUTE)

    [zombie] = client.get(ZOMBIES).json["items"]

    assert zombie["due_by"] is None
    assert "overdue" in zombie["sentence"]


def test_the_longest_silence_comes_first_page_by_page(
    client: Client, moods: MemoryApp, clock: ManualClock, job_id: str
) -> None:
    clock.advance(MINUTE)
    other = client.post(SUBMIT, {"number": 1}).json["job_id"]
    moods.claim()
    clock.advance(MINUTE)

    first = client.get(f"{ZOMBIES}?limit=1").json
    second = client.get(first["next"]).json
    long = client.get(f"{ZOMBIES}?silent_seconds=90").json

    assert [page["items"][0]["job_id"] for page in (first, second)] == [job_id, other]
    assert second["next"] is None
    assert [zombie["job_id"] for zombie in long["items"]] == [job_id]
