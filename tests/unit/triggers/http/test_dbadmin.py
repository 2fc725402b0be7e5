from datetime import UTC, datetime, timedelta

from core.json import rfc3339
from tests.factories.memory_app import Client, MemoryApp

PAUSE = "/api/dbadmin/maintenance/pause"
RESUME = "/api/dbadmin/maintenance/resume"
SUBMIT = "/api/jobs/submit/hello_world"


def test_nothing_is_claimed_while_paused_and_submission_goes_on(client: Client, terrane: MemoryApp) -> None:
    until = rfc3339(datetime.now(UTC) + timedelta(hours=1))

    paused = client.post(f"{PAUSE}?reason=upgrade&until={until}", headers={"X-Terrane-Actor": "ada"})
    submitted = client.post(SUBMIT, {})

    assert paused.json == {"paused": True, "until": until, "reason": "upgrade", "by": "ada"}
    assert submitted.status == 202
    assert terrane.claim() == []


def test_resume_rings_for_the_work_that_waits(client: Client, terrane: MemoryApp) -> None:
    client.post(PAUSE)
    job_id = client.post(SUBMIT, {}).json["job_id"]
    terrane.queue.clear()

    resumed = client.post(RESUME)
    terrane.work()

    assert resumed.json["paused"] is False
    assert client.get(f"/api/jobs/{job_id}").json["status"] == "completed"


def test_resume_without_a_pause_does_no_harm(client: Client, terrane: MemoryApp) -> None:
    assert client.post(RESUME).json["paused"] is False
    terrane.work()
    assert terrane.queue.peek("light", 10) == []


def test_a_pause_that_ends_by_itself_rings_at_its_end_for_what_an_endless_one_swallowed(
    client: Client, terrane: MemoryApp
) -> None:
    client.post(PAUSE)
    client.post(SUBMIT, {})
    terrane.work()
    until = datetime.now(UTC) + timedelta(hours=1)

    client.post(f"{PAUSE}?until={rfc3339(until)}")

    [bell] = terrane.queue.peek("light", 10)
    assert bell.scheduled_for is not None
    assert abs(bell.scheduled_for - until) < timedelta(minutes=1)


def test_a_pause_does_not_end_in_the_past(client: Client) -> None:
    answer = client.post(f"{PAUSE}?until=2020-01-01T00:00:00Z")

    assert (answer.status, answer.json["errors"][0]["parameter"]) == (400, "until")
    assert client.get("/api/health").json["components"]["engine"]["status"] == "healthy"
