import json
import logging
from datetime import timedelta
from http import HTTPStatus

import azure.functions as func
import pytest

from core import codes
from core.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    TaskFailed,
    TerraneError,
    TransientError,
    Violation,
)
from core.json import JsonObject
from triggers.http.errors import BadRequest, ContentTooLarge, UnsupportedMediaType, problems_as_json

ROUTE = "jobs/{job_id}"
REQUEST = func.HttpRequest("GET", "https://terrane.test/api/jobs/abc?code=key", body=b"")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (BadRequest, 400),
        (NotFound, 404),
        (Conflict, 409),
        (ContentTooLarge, 413),
        (UnsupportedMediaType, 415),
        (InvalidInput, 422),
        (TaskFailed, 500),
        (TransientError, 503),
    ],
)
def test_the_class_of_an_error_decides_its_status(kind: type[TerraneError], status: int) -> None:
    response = answer_to(kind(codes.JOB_UNKNOWN, "What happened."))

    assert response.status_code == status
    assert response.mimetype == "application/problem+json"


def test_a_subclass_is_answered_like_its_base() -> None:
    class SpecialConflict(Conflict):
        pass

    assert answer_to(SpecialConflict(codes.JOB_ENDED, "It ended.")).status_code == HTTPStatus.CONFLICT


def test_a_problem_has_every_member() -> None:
    violation = Violation("n", "Too small.", 0)
    error = InvalidInput(codes.PARAMETERS_INVALID, "n: Too small.", (violation,), schema="hello_world")

    assert body_of(answer_to(error)) == {
        "type": "https://terrane.test/api/docs#errors/parameters.invalid",
        "title": "Parameters are wrong",
        "status": 422,
        "detail": "n: Too small.",
        "instance": "/api/jobs/abc",
        "code": "parameters.invalid",
        "remedy": codes.PARAMETERS_INVALID.remedy,
        "retryable": False,
        "errors": [{"parameter": "n", "message": "Too small.", "value": 0}],
        "details": {"schema": "hello_world"},
    }


def test_a_value_that_is_missing_or_no_json_does_not_spoil_the_answer() -> None:
    violations = (Violation("a", "Missing."), Violation("b", "Odd.", object()))

    shown = body_of(answer_to(BadRequest(codes.QUERY_INVALID, "Two things.", violations)))["errors"]

    assert "value" not in shown[0]
    assert shown[1]["value"].startswith("<object")


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Conflict(codes.JOB_CLEANING_UP, "It is.", timedelta(seconds=9.5)), "10"),
        (Conflict(codes.JOB_ENDED, "It is."), None),
        (TransientError(codes.DATABASE_UNAVAILABLE, "It is."), "5"),
    ],
)
def test_an_error_that_passes_says_when_to_try_again(error: TerraneError, seconds: str | None) -> None:
    assert answer_to(error).headers.get("Retry-After") == seconds


def test_a_bug_is_logged_whole_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = answer_to(RuntimeError("password=secret"))

    [record] = caplog.records
    problem = body_of(response)
    assert (response.status_code, problem["code"]) == (500, "internal.error")
    assert "secret" not in response.get_body().decode()
    assert record.exc_info is not None
    assert record.reference in problem["detail"]


def answer_to(error: Exception) -> func.HttpResponse:
    with problems_as_json(REQUEST, ROUTE) as outcome:
        raise error
    return outcome.answer()


def body_of(response: func.HttpResponse) -> JsonObject:
    body: JsonObject = json.loads(response.get_body())
    return body
