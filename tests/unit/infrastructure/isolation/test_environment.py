import os
from pathlib import Path

import pytest

from infrastructure.isolation.environment import enter_workspace, server_environment


def test_only_listed_variables_are_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("STORAGE_CONNECTION_STRING", "AccountKey=secret")
    monkeypatch.setenv("PYTHONSTARTUP", "startup.py")

    environment = server_environment([], {})

    assert environment["PATH"] == "/usr/bin"
    assert "STORAGE_CONNECTION_STRING" not in environment
    assert "PYTHONSTARTUP" not in environment


def test_given_variables_are_added_but_loosen_nothing() -> None:
    loose = {"GDAL_CACHEMAX": "64", "PROJ_NETWORK": "ON", "CPL_VSIL_CURL_ALLOWED_FILENAME": "/vsicurl/x"}

    environment = server_environment([], loose)

    assert environment["GDAL_CACHEMAX"] == "64"
    assert environment["PROJ_NETWORK"] == "OFF"
    assert environment["CPL_VSIL_CURL_ALLOWED_FILENAME"] == "none"


def test_modules_are_searched_in_given_directories_first_and_in_none_that_is_relative(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.path", ["", "lib", "/opt/site-packages"])

    path = server_environment([Path("/extra")], {})["PYTHONPATH"].split(os.pathsep)

    assert path == ["/extra", str(Path.cwd()), str(Path.cwd() / "lib"), "/opt/site-packages"]


def test_a_child_is_pointed_at_its_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMPDIR", "CPL_TMPDIR", "CPL_VSIL_CURL_ALLOWED_FILENAME"):
        monkeypatch.setenv(name, "before")
    monkeypatch.chdir("/")

    enter_workspace(str(tmp_path), "https://a.example/b.tif?sig=c")

    assert Path.cwd() == tmp_path
    assert os.environ["TMPDIR"] == os.environ["CPL_TMPDIR"] == str(tmp_path)
    assert os.environ["CPL_VSIL_CURL_ALLOWED_FILENAME"] == "/vsicurl/https://a.example/b.tif?sig=c"
