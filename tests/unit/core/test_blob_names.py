"""Which blob names can be used."""

import pytest

from core import codes
from core.blob_names import normalised_blob_name
from core.errors import InvalidInput


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "a/b.tif",
        "...",
        "a./.b",
        "a//b",
        "%2e%2e/a",
        "u\u0308",
        "ü",
        "東京 \U0001f5fa",
        "x" * 1024,
        "~",
        "a/",
    ],
)
def test_a_usable_name_is_returned_as_it_is(name: str) -> None:
    assert normalised_blob_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("x" * 1025, "1025 characters"),
        ("/a", "starts with a slash"),
        ("a\\b", "backslash"),
        (".", "segment"),
        ("a/./b", "segment"),
        ("../a", "segment"),
        ("a/..", "segment"),
        ("a\x00", "control character"),
        ("a\nb", "control character"),
        ("a\x7f", "control character"),
        ("a\x85", "control character"),
        ("a\ud800", "control character"),
        ("a\uffff", "control character"),
    ],
)
def test_an_unusable_name_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        normalised_blob_name(name)

    assert refused.value.code == codes.BLOB_NAME_INVALID


def test_the_message_quotes_the_name_in_printable_characters() -> None:
    with pytest.raises(InvalidInput) as control:
        normalised_blob_name("a\x1b[31m/ü")
    with pytest.raises(InvalidInput) as long:
        normalised_blob_name("x" * 5000)

    assert r"'a\x1b[31m/\xfc'" in control.value.message
    assert len(long.value.message) < 200
