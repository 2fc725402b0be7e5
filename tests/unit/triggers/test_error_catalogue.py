import re
from pathlib import Path

import pytest

from core.errors import ErrorCode
from triggers.error_catalogue import ERROR_CODES, complete

CHECKOUT = Path(__file__).resolve().parents[3]
DECLARED = re.compile(r'ErrorCode\(\s*"([^"]+)"')


def test_every_code_that_the_code_declares_is_listed() -> None:
    sources = [
        path
        for floor in ("core", "services", "infrastructure", "jobs", "triggers")
        for path in (CHECKOUT / floor).rglob("*.py")
    ]

    declared = {code for path in sources for code in DECLARED.findall(path.read_text("utf-8"))}

    assert declared == set(ERROR_CODES)


@pytest.mark.parametrize("code", ERROR_CODES.values(), ids=lambda code: code.code)
def test_codes_are_dotted_and_say_what_to_do(code: ErrorCode) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+", code.code)
    assert code.title
    assert code.remedy.endswith((".", "`"))


def test_an_error_keeps_the_words_of_the_release_that_recorded_it() -> None:
    recorded = {"code": "blob.empty", "message": "No bytes.", "remedy": "Old words.", "retryable": True}

    shown = complete(recorded)

    assert (shown["remedy"], shown["retryable"]) == ("Old words.", True)


def test_an_error_of_a_code_that_this_release_does_not_know_is_shown() -> None:
    shown = complete({"code": "moon.eclipsed", "message": "It is dark."})

    assert (shown["code"], shown["message"], shown["remedy"]) == ("moon.eclipsed", "It is dark.", "")
