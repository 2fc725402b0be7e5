"""The smoke test, as a user meets it."""

from typing import TYPE_CHECKING

from psycopg import connect

if TYPE_CHECKING:
    from tests.factories.local_system import RunningSystem


def test_hello_world_runs_to_its_end(terrane: "RunningSystem") -> None:
    receipt = terrane.submit("hello_world", n=7, message="Acceptance")
    job = terrane.ended(receipt.body["job_id"])

    assert (receipt.status, receipt.body["created"]) == (202, True)
    assert (job["status"], job["progress"]) == ("completed", 1.0)
    assert [stage["tasks"]["completed"] for stage in job["stages"]] == [7, 7]


def test_retried_greetings_all_arrive(terrane: "RunningSystem") -> None:
    receipt = terrane.submit("hello_world", n=20, message="Retried", failure_rate=0.2)
    job = terrane.ended(receipt.body["job_id"])

    tasks = terrane.request("GET", f"/api/jobs/{job['job_id']}/tasks?stage=1&include=result").body["items"]
    assert job["status"] == "completed"
    assert sorted(task["result"]["greeting"] for task in tasks) == sorted(
        f"Retried from task {index}!" for index in range(20)
    )


def test_a_cancelled_job_ends_while_its_tasks_sleep(terrane: "RunningSystem") -> None:
    job_id = terrane.submit("hello_world", n=3, message="Cancelled", sleep_seconds=300).body["job_id"]

    cancelled = terrane.request("POST", f"/api/jobs/{job_id}/cancel")
    job = terrane.ended(job_id)
    again = terrane.request("POST", f"/api/jobs/{job_id}/cancel")

    assert cancelled.status == 202
    assert (job["status"], job["error"]["code"]) == ("cancelled", "job.cancelled")
    assert again.status == 409


def test_a_task_longer_than_its_lease_keeps_it(terrane: "RunningSystem") -> None:
    job_id = terrane.submit("hello_world", n=1, message="Long", sleep_seconds=10).body["job_id"]
    job = terrane.ended(job_id)

    with connect(terrane.variables["DATABASE_URL"]) as connection:
        rescued = connection.execute(
            "SELECT count(*) FROM app.tasks WHERE job_id = %s AND rescues > 0", [job_id]
        ).fetchone()
    assert job["status"] == "completed"
    assert rescued == (0,)


def test_two_wrong_fields_are_both_told(terrane: "RunningSystem") -> None:
    answer = terrane.submit("hello_world", n=True, nonsense=1)

    assert answer.status == 422
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert {error["parameter"] for error in answer.body["errors"]} == {"n", "nonsense"}
    assert answer.body["code"] == "parameters.invalid"


def test_bodies_that_are_no_objects_are_refused(terrane: "RunningSystem") -> None:
    path = "/api/jobs/submit/hello_world"

    assert terrane.request("POST", path, b"{").status == 400
    assert terrane.request("POST", path, [1]).status == 400
    assert terrane.request("POST", path, b" " * 2_000_000).status == 413
    assert terrane.request("POST", path, b"n=3", "text/plain").status == 415
    assert terrane.request("POST", "/api/jobs/submit/nothing", {}).status == 404
