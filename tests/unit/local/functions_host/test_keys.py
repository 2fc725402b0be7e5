"""Which key opens what."""

from pathlib import Path

import pytest

from local.functions_host.keys import AccessKeys, load_keys
from local.functions_host.model import AuthLevel

KEYS = AccessKeys.model_validate(
    {
        "masterKey": "master",
        "functionKeys": {"default": "host", "empty": ""},
        "functions": {"one": {"k": "own"}},
    }
)


@pytest.mark.parametrize(
    ("level", "opening"),
    [
        (AuthLevel.ANONYMOUS, {"master", "host", "own", "wrong", "", None}),
        (AuthLevel.FUNCTION, {"master", "host", "own"}),
        (AuthLevel.ADMIN, {"master"}),
    ],
)
def test_levels(level: AuthLevel, opening: set[str | None]) -> None:
    given = {"master", "host", "own", "wrong", "", None}

    assert {key for key in given if KEYS.allow(level, "one", key)} == opening


def test_a_key_of_one_function_does_not_open_another() -> None:
    assert not KEYS.allow(AuthLevel.FUNCTION, "two", "own")


@pytest.mark.parametrize(
    ("text", "part"),
    [("{", "keys.json"), ("{}", "masterKey"), ('{"masterKey": "secret", "other": "secret"}', "other")],
)
def test_a_file_that_cannot_be_used_is_refused_without_showing_a_key(
    tmp_path: Path, text: str, part: str
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=part) as caught:
        load_keys(path)

    assert "secret" not in str(caught.value)
