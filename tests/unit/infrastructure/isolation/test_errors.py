import errno
from pathlib import Path

import pytest

from core import codes
from core.errors import Conflict, ErrorCode, InvalidInput, OutOfMemory, TaskFailed, TransientError, Violation
from core.json import to_jsonable
from infrastructure.isolation.errors import decode, encode, translate

CODE = ErrorCode("test.code", "A title", "A remedy", retryable=True)


@pytest.mark.parametrize("kind", [TaskFailed, TransientError, OutOfMemory, InvalidInput])
def test_errors_that_the_worker_knows_cross_unchanged(kind: type[TaskFailed]) -> None:
    error = kind(CODE, "a message", path="a.tif", bands=[1, 2])

    crossed = decode(encode(translate(error)))

    assert type(crossed) is kind
    assert (crossed.code, crossed.message, crossed.details) == (CODE, "a message", error.details)


def test_violations_cross() -> None:
    error = InvalidInput(CODE, "two faults", (Violation("a", "is wrong", 1), Violation("b", "is missing")))

    crossed = decode(encode(error))

    assert isinstance(crossed, InvalidInput)
    assert crossed.violations == error.violations


def test_a_subclass_crosses_as_the_class_that_the_worker_knows() -> None:
    class Unreadable(TaskFailed):
        pass

    assert type(decode(encode(translate(Unreadable(CODE, "cannot be read"))))) is TaskFailed


@pytest.mark.parametrize("error", [ValueError("a value"), Conflict(CODE, "a value")])
def test_any_other_error_fails_the_task_by_name(error: Exception) -> None:
    translated = translate(error)

    assert type(translated) is TaskFailed
    assert translated.code == codes.TASK_CRASHED
    assert translated.message == f"{type(error).__name__}: a value"


def test_a_refused_allocation_is_a_lack_of_memory() -> None:
    assert type(translate(MemoryError("12 GiB"))) is OutOfMemory


def test_a_full_disk_passes() -> None:
    crossed = decode(encode(translate(OSError(errno.ENOSPC, "No space left on device"))))

    assert type(crossed) is TransientError
    assert crossed.code == codes.WORKSPACE_FULL


def test_details_without_a_json_form_become_text() -> None:
    record = encode(TaskFailed(CODE, "a message", path=Path("a.tif"), kind=object))

    assert record["details"] == {"path": "a.tif", "kind": "<class 'object'>"}


def test_details_cannot_stand_for_arguments() -> None:
    record = encode(TaskFailed(CODE, "a message"))
    record["details"] = {"message": "another", "code": 1}

    crossed = decode(record)

    assert (crossed.message, crossed.code) == ("a message", CODE)


def test_a_record_is_json_and_bounded() -> None:
    record = encode(TaskFailed(CODE, "x" * 100_000))

    assert record == to_jsonable(record)
    assert len(record["message"]) < 10_000
