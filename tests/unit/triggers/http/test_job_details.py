import pytest

from tests.factories.memory_app import Client, MemoryApp

SUBMIT = "/api/jobs/submit/hello_world"


@pytest.fixture
def job(client: Client, terrane: MemoryApp) -> str:
    """The path of a completed job of two stages with three tasks each."""
    job_id = client.post(SUBMIT, {"n": 3}).json["job_id"]
    terrane.work()
    return f"/api/jobs/{job_id}"


def test_tasks_are_listed_last_stage_first_page_by_page(client: Client, job: str) -> None:
    address, seen = f"{job}/tasks?limit=4", []
    while address is not None:
        page = client.get(address).json
        seen += [(task["stage"], task["key"]) for task in page["items"]]
        address = page["next"]

    assert seen == [(2, "2"), (2, "1"), (2, "0"), (1, "2"), (1, "1"), (1, "0")]


def test_the_list_of_tasks_agrees_with_the_ledger(client: Client, job: str) -> None:
    stages = client.get(job).json["stages"]

    listed = [len(client.get(f"{job}/tasks?stage={stage['number']}").json["items"]) for stage in stages]

    assert listed == [stage["tasks"]["total"] for stage in stages]


def test_plans_are_shown_to_those_who_ask(client: Client, job: str) -> None:
    plans = client.get(f"{job}/tasks?kind=plan").json["items"]

    assert [(plan["stage"], plan["status"]) for plan in plans] == [(2, "completed"), (1, "completed")]


@pytest.mark.parametrize(
    ("include", "shown"),
    [
        ("", set()),
        ("?include=result", {"result"}),
        ("?include=parameters,result", {"parameters", "result"}),
    ],
)
def test_bulky_fields_are_shown_when_asked_for(
    client: Client, job: str, include: str, shown: set[str]
) -> None:
    task = client.get(f"{job}/tasks{include}").json["items"][0]

    assert {"parameters", "result"} & set(task) == shown
    assert all(task[name] for name in shown)


def test_operators_see_the_same_tasks(client: Client, job: str) -> None:
    alias = job.replace("/api/jobs/", "/api/dbadmin/tasks/")

    assert client.get(alias).json["items"] == client.get(f"{job}/tasks").json["items"]


@pytest.mark.parametrize("query", ["include=secrets", "status=done", "stage=one", "stage=-1", "kind=all"])
def test_a_wrong_filter_is_refused(client: Client, job: str, query: str) -> None:
    answer = client.get(f"{job}/tasks?{query}")

    assert (answer.status, answer.json["code"]) == (400, "request.query_invalid")


def test_history_is_told_in_order_with_who_and_why(client: Client) -> None:
    job_id = client.post(SUBMIT, {}, {"X-Terrane-Actor": "ada"}).json["job_id"]
    client.post(f"/api/jobs/{job_id}/cancel", headers={"X-Terrane-Actor": "grace"})

    address, events = f"/api/jobs/{job_id}/events?limit=1", []
    while address is not None:
        page = client.get(address).json
        events += page["items"]
        address = page["next"]

    assert [event["event_id"] for event in events] == sorted(event["event_id"] for event in events)
    job_events = [(event["event"], event["actor"]) for event in events if event["subject"] == "job"]
    assert job_events[0] == ("queued", "ada")
    assert "grace" in [actor for _, actor in job_events]
    assert job_events[-1][0] == "cancelled"


def test_the_answer_to_why_carries_code_and_remedy_of_a_failure(client: Client, moods: MemoryApp) -> None:
    job_id = client.post("/api/jobs/submit/mood", {"mood": "failing"}).json["job_id"]
    moods.work()

    why = client.get(f"/api/jobs/{job_id}/why").json

    assert (why["status"], why["code"]) == ("failed", "blob.empty")
    assert why["sentence"].startswith("bronze/a.tif has no bytes. Upload the file again.")


def test_the_remedy_is_added_to_an_error_that_was_recorded_without(client: Client, moods: MemoryApp) -> None:
    job_id = client.post("/api/jobs/submit/mood", {"mood": "failing"}).json["job_id"]
    moods.work()
    moods.state.jobs[job_id].error = {"code": "task.worker_lost", "message": "They died."}

    assert "Look at the task's events" in client.get(f"/api/jobs/{job_id}/why").json["sentence"]
