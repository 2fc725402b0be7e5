"""The loader of named SQL statements."""

import pytest

from infrastructure import sql

FILE = """-- first
-- Say what it does.
SELECT %(a)s;

-- second
-- Two statements of comment,
-- then the statement.
SELECT 1
  -- inner
  -- comment
 WHERE true;
"""


def test_statements_are_found_by_their_headers() -> None:
    statements = sql.parse(FILE, "f")

    assert statements == {
        "first": "-- Say what it does.\nSELECT %(a)s",
        "second": "-- Two statements of comment,\n-- then the statement.\n"
        "SELECT 1\n  -- inner\n  -- comment\n WHERE true",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SELECT 1;\n\n-- a\n-- A.\nSELECT 2;\n", "before the first header"),
        ("-- a\n-- A.\nSELECT 1;\n\n-- a\n-- A.\nSELECT 2;\n", "a is defined twice"),
        ("-- a\n-- A.\n\n-- b\n-- B.\nSELECT 2;\n", "a has no statement"),
    ],
)
def test_a_malformed_file_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        sql.parse(text, "f")


def test_an_unknown_file_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        sql.load("no_such_file")
