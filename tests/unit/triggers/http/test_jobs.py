from datetime import timedelta
from typing import Any

import pytest

from core import codes
from tests.factories.clock import ManualClock
from tests.factories.memory_app import ADDRESS, Client, MemoryApp

SUBMIT = "/api/jobs/submit/hello_world"
UNKNOWN = "0" * 64


@pytest.mark.parametrize("route", ["jobs/status", "jobs", "dbadmin/jobs"])
def test_a_job_is_shown_whole(client: Client, terrane: MemoryApp, route: str) -> None:
    job_id = client.post(SUBMIT, {"n": 2}, {"X-Terrane-Actor": "ada"}).json["job_id"]
    terrane.work()

    job = client.get(f"/api/{route}/{job_id}").json

    assert (job["status"], job["progress"], job["error"], job["requested_by"]) == (
        "completed",
        1,
        None,
        "ada",
    )
    assert [stage["name"] for stage in job["stages"]] == ["greeting", "reply"]
    assert job["stages"][0]["tasks"] == {
        "total": 2,
        "queued": 0,
        "processing": 0,
        "completed": 2,
        "failed": 0,
        "cancelled": 0,
    }
    assert job["completed_at"].endswith("Z")
    assert job["links"]["self"] == f"{ADDRESS}/api/jobs/{job_id}"


def test_a_job_id_in_capitals_is_the_same(client: Client) -> None:
    job_id = client.post(SUBMIT, {}).json["job_id"]

    assert client.get(f"/api/jobs/{job_id.upper()}").json["job_id"] == job_id


@pytest.mark.parametrize("given", ["abc", "x" * 64, "0" * 63, "%00", "0" * 65])
def test_what_is_no_job_id_is_refused(client: Client, given: str) -> None:
    answer = client.get(f"/api/jobs/{given}")

    assert (answer.status, answer.json["code"]) == (400, "request.job_id_invalid")


@pytest.mark.parametrize("what", ["", "/tasks", "/why", "/events"])
def test_an_unknown_job_is_not_found(client: Client, what: str) -> None:
    answer = client.get(f"/api/jobs/{UNKNOWN}{what}")

    assert (answer.status, answer.json["code"]) == (404, "job.unknown")
    assert answer.json["instance"] == f"/api/jobs/{UNKNOWN}{what}"


def test_an_error_that_the_store_recorded_is_told_with_its_remedy(client: Client, moods: MemoryApp) -> None:
    job_id = client.post("/api/jobs/submit/mood", {"mood": "failing"}).json["job_id"]
    moods.work()
    moods.state.jobs[job_id].error = {"code": "task.worker_lost", "message": "The last of them died."}

    error = client.get(f"/api/jobs/{job_id}").json["error"]

    assert error["remedy"] == codes.TASK_WORKER_LOST.remedy
    assert error["retryable"] is False


def test_a_failed_job_names_the_task_that_failed(client: Client, moods: MemoryApp) -> None:
    job_id = client.post("/api/jobs/submit/mood", {"mood": "failing"}).json["job_id"]
    moods.work()

    job = client.get(f"/api/jobs/{job_id}").json

    [task] = client.get(f"/api/jobs/{job_id}/tasks").json["items"]
    assert (job["status"], job["error"]["code"]) == ("failed", "blob.empty")
    assert job["error"]["task_id"] == task["task_id"]


@pytest.mark.parametrize("seconds", ["-1", "61", "nan", "inf", "soon"])
def test_a_wait_out_of_bounds_is_refused(client: Client, seconds: str) -> None:
    answer = client.get(f"/api/jobs/{UNKNOWN}?wait={seconds}")

    assert (answer.status, answer.json["errors"][0]["parameter"]) == (400, "wait")


def test_a_wait_for_an_ended_job_is_answered_with_it(client: Client, terrane: MemoryApp) -> None:
    job_id = client.post(SUBMIT, {}).json["job_id"]
    terrane.work()

    assert client.get(f"/api/jobs/{job_id}?wait=60").json["status"] == "completed"


def test_a_wait_that_is_over_is_answered_with_the_job_as_it_is(client: Client) -> None:
    job_id = client.post(SUBMIT, {}).json["job_id"]

    assert client.get(f"/api/jobs/status/{job_id}?wait=0.1").json["status"] == "queued"


def test_jobs_are_listed_newest_first_page_by_page(
    client: Client, moods: MemoryApp, clock: ManualClock
) -> None:
    made = make_jobs(client, clock, 5)

    pages = follow(client, "/api/jobs?limit=2&job_type=mood")

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [job["job_id"] for page in pages for job in page] == made[::-1]
    assert "stages" not in pages[0][0]


def test_a_page_that_holds_the_rest_exactly_is_the_last(
    client: Client, moods: MemoryApp, clock: ManualClock
) -> None:
    make_jobs(client, clock, 2)

    assert client.get("/api/jobs?limit=2").json["next"] is None


def test_the_next_page_is_asked_for_with_the_same_filters(
    client: Client, moods: MemoryApp, clock: ManualClock
) -> None:
    make_jobs(client, clock, 3)

    after = clock.now() - timedelta(hours=1)
    page = client.get(f"/api/jobs?limit=1&submitted_after={after:%Y-%m-%dT%H:%M:%SZ}&status=queued&code=key")

    assert page.json["next"].startswith(f"{ADDRESS}/api/jobs?limit=1&status=queued&submitted_after=")
    assert "code=" not in page.json["next"]
    assert len(follow(client, page.json["next"])) == 2


def test_jobs_are_found_by_time_and_state(client: Client, moods: MemoryApp, clock: ManualClock) -> None:
    early, late = make_jobs(client, clock, 2)
    moods.work()
    between = (clock.now() - timedelta(seconds=1.5)).isoformat().replace("+", "%2B")

    assert ids(client.get(f"/api/jobs?submitted_before={between}").json["items"]) == [early]
    assert ids(client.get(f"/api/jobs?submitted_after={between}&status=completed").json["items"]) == [late]
    assert ids(client.get("/api/jobs?status=failed").json["items"]) == []
    assert ids(client.get("/api/jobs?job_type=other").json["items"]) == []


def test_a_plus_that_was_not_encoded_is_understood(client: Client) -> None:
    assert client.get("/api/jobs?submitted_after=2024-01-01T00:00:00+00:00").status == 200


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=1,2", "limit"),
        ("status=done", "status"),
        ("submitted_after=2024-01-01T00:00:00", "submitted_after"),
        ("submitted_before=yesterday", "submitted_before"),
        ("submitted_before=0.5", "submitted_before"),
        ("submitted_before=2024-01-01", "submitted_before"),
        ("job_type=%00", "job_type"),
        ("cursor=x", "cursor"),
        ("cursor=WzEsMl0", "cursor"),
        ("cursor=%C3%A9", "cursor"),
        ("offset=3", "offset"),
    ],
)
def test_a_wrong_filter_is_refused(client: Client, query: str, parameter: str) -> None:
    answer = client.get(f"/api/jobs?{query}")

    assert (answer.status, answer.json["code"]) == (400, "request.query_invalid")
    assert [error["parameter"] for error in answer.json["errors"]] == [parameter]


def test_unknown_parameters_are_refused_with_those_there_are(client: Client) -> None:
    answer = client.get("/api/jobs?stat=failed")

    assert "submitted_before" in answer.json["errors"][0]["message"]


def test_a_queued_job_is_cancelled_at_once(client: Client, terrane: MemoryApp) -> None:
    job_id = client.post(SUBMIT, {}).json["job_id"]

    answer = client.post(f"/api/jobs/{job_id}/cancel?reason=typo", headers={"X-Terrane-Actor": "ada"})

    assert (answer.status, answer.json["status"]) == (202, "cancelled")
    assert answer.json["error"]["code"] == "job.cancelled"
    assert answer.json["error"]["message"] == "Cancelled by ada: typo"


def test_a_running_job_is_stopping_until_its_worker_lets_go(client: Client, terrane: MemoryApp) -> None:
    job_id = client.post(SUBMIT, {}).json["job_id"]
    terrane.claim()

    first = client.post(f"/api/jobs/{job_id}/cancel")
    second = client.post(f"/api/jobs/{job_id}/cancel")

    assert (first.status, second.status) == (202, 202)
    assert (second.json["status"], second.json["stopping"]) == ("processing", True)


def test_an_ended_job_is_not_cancelled(client: Client, terrane: MemoryApp) -> None:
    job_id = client.post(SUBMIT, {}).json["job_id"]
    terrane.work()

    answer = client.post(f"/api/jobs/{job_id}/cancel")

    assert (answer.status, answer.json["code"]) == (409, "job.ended")


def test_an_unknown_job_is_not_cancelled(client: Client) -> None:
    assert client.post(f"/api/jobs/{UNKNOWN}/cancel").status == 404


def make_jobs(client: Client, clock: ManualClock, number: int) -> list[str]:
    made = []
    for index in range(number):
        made.append(client.post("/api/jobs/submit/mood", {"number": index}).json["job_id"])
        clock.advance(timedelta(seconds=1))
    return made


def ids(jobs: list[dict[str, Any]]) -> list[str]:
    return [job["job_id"] for job in jobs]


def follow(client: Client, address: str | None) -> list[list[dict[str, Any]]]:
    """Return every page from an address on."""
    pages = []
    while address is not None:
        answer = client.get(address)
        assert answer.status == 200
        pages.append(answer.json["items"])
        address = answer.json["next"]
    return pages
