from datetime import timedelta

import pytest

from core import codes
from tests.factories.clock import ManualClock
from tests.factories.memory_app import Client, MemoryApp

SUBMIT = "/api/jobs/submit/hello_world"


def test_a_new_job_is_accepted_and_says_where_to_look(client: Client) -> None:
    answer = client.post(SUBMIT, {"n": 2})

    job_id = answer.json["job_id"]
    assert answer.status == 202
    assert answer.headers["Location"] == f"https://terrane.test/api/jobs/{job_id}"
    assert int(answer.headers["Retry-After"]) >= 1
    assert {name: answer.json[name] for name in ("job_type", "status", "revision", "created")} == {
        "job_type": "hello_world",
        "status": "queued",
        "revision": 1,
        "created": True,
    }
    assert client.get(answer.headers["Location"]).json["job_id"] == job_id
    assert client.get(answer.json["links"]["events"]).status == 200


def test_the_same_job_is_found_again(client: Client) -> None:
    first = client.post(SUBMIT, {"n": 2})

    second = client.post(SUBMIT, {"n": 2, "message": "Hello World"})

    assert second.status == 200
    assert not second.json["created"]
    assert second.json["job_id"] == first.json["job_id"]


def test_an_empty_object_submits_the_defaults(client: Client) -> None:
    answer = client.post(SUBMIT, {})

    assert client.get(answer.headers["Location"]).json["parameters"]["n"] == 3


def test_priority_actor_and_trace_are_kept(client: Client, terrane: MemoryApp) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    answer = client.post(f"{SUBMIT}?priority=9", {}, {"X-Terrane-Actor": "ada", "traceparent": trace})

    record = terrane.app.jobs.get(answer.json["job_id"])
    assert (record.priority, record.requested_by, record.traceparent) == (9, "ada", trace)


@pytest.mark.parametrize(
    ("headers", "actor"),
    [
        ({}, "unknown"),
        ({"X-Terrane-Actor": "ada\x00\n"}, "ada"),
        (
            {"X-Terrane-Actor": "ada", "X-MS-CLIENT-PRINCIPAL-NAME": "grace@terrane.test"},
            "grace@terrane.test",
        ),
    ],
)
def test_the_authenticated_principal_comes_before_who_a_client_says_it_is(
    client: Client, terrane: MemoryApp, headers: dict[str, str], actor: str
) -> None:
    answer = client.post(SUBMIT, {}, headers)

    assert terrane.app.jobs.get(answer.json["job_id"]).requested_by == actor


def test_a_malformed_trace_is_left_out(client: Client, terrane: MemoryApp) -> None:
    answer = client.post(SUBMIT, {}, {"traceparent": "00-zz"})

    assert terrane.app.jobs.get(answer.json["job_id"]).traceparent is None


@pytest.mark.parametrize(
    ("body", "status", "code", "told"),
    [
        (b"", 400, "request.not_json", "empty"),
        (b"{n: 3}", 400, "request.not_json", "line 1, column 2"),
        (b"\xff\xfe", 400, "request.not_json", "UTF-8"),
        (b'{"failure_rate": NaN}', 400, "request.not_json", "NaN"),
        (b'{"failure_rate": -Infinity}', 400, "request.not_json", "-Infinity"),
        (b'{"failure_rate": 1e999}', 400, "request.not_json", "too large"),
        (b'{"n": 1, "n": 2}', 400, "request.not_json", "n more than once"),
        (b'{"n": ' + b"9" * 5_000 + b"}", 400, "request.not_json", "digits"),
        (b"[" * 100_000, 400, "request.not_json", "deeply"),
        (b"[]", 400, "request.not_an_object", "an array"),
        (b"null", 400, "request.not_an_object", "null"),
        (b"3.5", 400, "request.not_an_object", "a number"),
        (b'{"message": "' + b"x" * 1_048_576 + b'"}', 413, "request.too_large", "1048576"),
        (b'{"message": "a\\u0000b"}', 422, "parameters.invalid", "NUL"),
        (b'{"message": "\\ud800"}', 422, "parameters.invalid", "surrogates"),
        (b'{"a\\u0000": 1}', 422, "parameters.invalid", "NUL"),
        (b'{"n": true}', 422, "parameters.invalid", "n:"),
    ],
)
def test_a_body_that_is_not_parameters_is_refused(
    client: Client, body: bytes, status: int, code: str, told: str
) -> None:
    answer = client.post(SUBMIT, body)

    assert (answer.status, answer.json["code"]) == (status, code)
    assert told in answer.json["detail"]
    assert answer.json["remedy"]
    assert client.get("/api/jobs").json["items"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-encoding": "gzip"},
    ],
)
def test_other_content_types_are_refused(client: Client, headers: dict[str, str]) -> None:
    answer = client.post(SUBMIT, {}, headers)

    assert (answer.status, answer.json["code"]) == (415, "request.media_type")


@pytest.mark.parametrize("given", ["application/json; charset=UTF-8", "application/vnd.terrane+json"])
def test_json_by_any_of_its_names_is_read(client: Client, given: str) -> None:
    assert client.post(SUBMIT, {}, {"content-type": given}).status == 202


def test_every_wrong_parameter_is_told_at_once(client: Client) -> None:
    answer = client.post(SUBMIT, {"n": 0, "colour": "red"})

    assert answer.status == 422
    assert answer.media_type == "application/problem+json"
    assert [(one["parameter"], one["value"]) for one in answer.json["errors"]] == [
        ("n", 0),
        ("colour", "red"),
    ]
    assert answer.json["instance"] == SUBMIT
    assert answer.json["type"].endswith("parameters.invalid")


def test_a_long_value_is_shown_by_its_beginning(client: Client) -> None:
    answer = client.post(SUBMIT, {"message": "x" * 5_000})

    [error] = answer.json["errors"]
    assert 0 < len(error["value"]) < 300


def test_an_unknown_job_type_is_told_with_those_there_are(client: Client) -> None:
    answer = client.post("/api/jobs/submit/hello_moon", b"not even JSON")

    assert (answer.status, answer.json["code"]) == (404, "job_type.unknown")
    assert "hello_world" in answer.json["detail"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("priority=10", "priority"),
        ("priority=high", "priority"),
        ("rerun=perhaps", "rerun"),
        ("force=1", "force"),
    ],
)
def test_a_wrong_query_is_refused(client: Client, query: str, parameter: str) -> None:
    answer = client.post(f"{SUBMIT}?{query}", {})

    assert (answer.status, answer.json["code"]) == (400, "request.query_invalid")
    assert [one["parameter"] for one in answer.json["errors"]] == [parameter]


def test_a_function_key_in_the_query_is_no_unknown_parameter(client: Client) -> None:
    assert client.post(f"{SUBMIT}?code=secret-key", {}).status == 202


def test_a_bus_that_is_down_does_not_hinder_a_submission(client: Client, terrane: MemoryApp) -> None:
    terrane.take_down("queue", codes.BUS_UNAVAILABLE)

    assert client.post(SUBMIT, {}).status == 202


def test_a_database_that_is_down_is_told_with_when_to_try_again(client: Client, terrane: MemoryApp) -> None:
    terrane.take_down("jobs", codes.DATABASE_UNAVAILABLE)

    answer = client.post(SUBMIT, {})

    assert (answer.status, answer.json["code"], answer.json["retryable"]) == (
        503,
        "database.unavailable",
        True,
    )
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_stopping_job_is_not_joined(client: Client, terrane: MemoryApp) -> None:
    job_id = client.post(SUBMIT, {}).json["job_id"]
    terrane.claim()
    client.post(f"/api/jobs/{job_id}/cancel")

    answer = client.post(SUBMIT, {})

    assert (answer.status, answer.json["code"]) == (409, "job.stopping")
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_failed_job_runs_again_as_its_next_revision(moods: MemoryApp, client: Client) -> None:
    job_id = client.post("/api/jobs/submit/mood", {"mood": "failing"}).json["job_id"]
    moods.work()

    answer = client.post(f"/api/jobs/{job_id}/resubmit")

    assert answer.status == 202
    assert (answer.json["revision"], answer.json["created"]) == (2, True)


def test_a_completed_job_is_not_resubmitted(client: Client, terrane: MemoryApp) -> None:
    job_id = client.post(SUBMIT, {}).json["job_id"]
    terrane.work()

    answer = client.post(f"/api/jobs/{job_id}/resubmit")

    assert (answer.status, answer.json["code"]) == (409, "job.not_resubmittable")


def test_the_selected_jobs_run_again_and_no_more_than_asked_for(
    moods: MemoryApp, client: Client, clock: ManualClock
) -> None:
    failed = []
    for number in range(3):
        job = client.post("/api/jobs/submit/mood", {"mood": "failing", "number": number})
        failed.append(job.json["job_id"])
        clock.advance(timedelta(seconds=1))
    broken = client.post("/api/jobs/submit/mood", {"mood": "broken"}).json["job_id"]
    client.post("/api/jobs/submit/mood", {"mood": "well"})
    moods.work()

    answer = client.post("/api/jobs/resubmit?status=failed&code=blob.empty&job_type=mood&limit=2")

    assert answer.status == 202
    assert [one["job_id"] for one in answer.json["items"]] == [failed[2], failed[1]]
    assert answer.json["refused"] == []
    assert client.get(f"/api/jobs/{broken}").json["status"] == "failed"


def test_a_job_that_cannot_run_again_now_is_listed_with_the_reason(moods: MemoryApp, client: Client) -> None:
    job_id = client.post("/api/jobs/submit/mood", {"mood": "failing"}).json["job_id"]
    moods.work()
    moods.state.jobs[job_id].cleanup = "pending"

    answer = client.post("/api/jobs/resubmit")

    assert answer.json["items"] == []
    assert [(one["job_id"], one["code"]) for one in answer.json["refused"]] == [(job_id, "job.cleaning_up")]


@pytest.mark.parametrize("code", ["n0tADottedName==", "abc", "raster crs.missing"])
def test_a_function_key_is_not_taken_for_an_error_code(client: Client, code: str) -> None:
    answer = client.post(f"/api/jobs/resubmit?code={code}")

    assert answer.status == 400
    assert "x-functions-key" in answer.json["detail"]


def test_beyond_the_limit_of_active_jobs_new_ones_are_refused_and_known_ones_found(
    monkeypatch: pytest.MonkeyPatch, terrane: MemoryApp, client: Client
) -> None:
    first = client.post(SUBMIT, {"n": 1})
    monkeypatch.setattr(terrane.app.settings.api, "max_active_jobs", 1)
    # Made anew, it knows the new setting and counts at once.
    del vars(terrane.app)["submission"]

    refused = client.post(SUBMIT, {"n": 2})
    again = client.post(SUBMIT, {"n": 1})

    assert (refused.status, refused.json["code"]) == (429, "jobs.too_many_active")
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json["retryable"]
    assert (again.status, again.json["job_id"]) == (200, first.json["job_id"])
