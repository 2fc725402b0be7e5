"""Encodings that tables name, in all the ways of naming them, and those that they do not."""

from pathlib import Path

import pytest

from core.errors import TaskFailed
from services.findings import Findings
from services.vector.text_encoding import encoding_of, encoding_of_dbf


def table(folder: Path, text: bytes, *, cpg: bytes | None = None, language: int = 0) -> Path:
    """Write what looks like a dBASE table to who reads its encoding."""
    header = bytearray(33)
    header[8:10], header[29] = (33).to_bytes(2, "little"), language
    (folder / "a.dbf").write_bytes(bytes(header) + text)
    if cpg is not None:
        (folder / "a.cpg").write_bytes(cpg)
    return folder / "a.dbf"


@pytest.mark.parametrize(
    ("cpg", "name"),
    [
        (b"UTF-8", "utf-8"),
        (b"utf8\r\n", "utf-8"),
        (b"1251", "cp1251"),
        (b"ANSI 1250", "cp1250"),
        (b"ISO 8859-1", "iso8859-1"),
        (b"88592", "iso8859-2"),
        (b"nonsense", "utf-8"),
        (b"a\x00b", "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_a_cpg_file_is_understood_in_every_spelling(tmp_path: Path, cpg: bytes, name: str) -> None:
    assert encoding_of_dbf(table(tmp_path, b"abc", cpg=cpg), None, Findings()) == name


def test_the_language_of_the_table_counts_where_no_cpg_file_does(tmp_path: Path) -> None:
    assert encoding_of_dbf(table(tmp_path, b"\xe4", language=0xC9), None, Findings()) == "cp1251"


@pytest.mark.parametrize(("text", "name"), [(b"\xe4", "cp1252"), (b"\x81", "iso8859-1")])
def test_a_wrong_name_is_not_believed(tmp_path: Path, text: bytes, name: str) -> None:
    findings = Findings()

    assert encoding_of_dbf(table(tmp_path, text, cpg=b"UTF-8"), None, findings) == name
    assert [finding.code for finding in findings.items] == ["vector.encoding_assumed"]


@pytest.mark.parametrize("given", ["klingon", "a\x00b"])
def test_an_encoding_that_there_is_not_is_refused(tmp_path: Path, given: str) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")

    with pytest.raises(TaskFailed) as caught:
        encoding_of(tmp_path / "a.csv", given, Findings())

    assert caught.value.code.code == "vector.encoding_unknown"
