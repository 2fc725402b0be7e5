"""Archives that strangers made: what is refused, in which words, and that nothing is left outside."""

import stat
import zipfile
from pathlib import Path

import pytest

from core.errors import TaskFailed
from services.vector.archives import UnpackLimits, unpack

MIB = 1024 * 1024


def archive(folder: Path, files: dict[str, bytes], name: str = "a.zip") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for member, content in files.items():
            opened.writestr(member, content)
    return path


def refusal(path: Path, limits: UnpackLimits = UnpackLimits()) -> TaskFailed:
    with pytest.raises(TaskFailed) as caught:
        unpack(path, path.parent / "out", limits)
    return caught.value


def test_files_are_unpacked_in_their_folders_without_litter(tmp_path: Path) -> None:
    path = archive(
        tmp_path,
        {"deep/er/a.shp": b"1", "b.dbf": b"2", "__MACOSX/deep/._a.shp": b"x", "deep/.DS_Store": b"y"},
    )

    files = unpack(path, tmp_path / "out")

    assert [str(file.relative_to(tmp_path / "out")) for file in files] == ["b.dbf", "deep/er/a.shp"]
    assert files[1].read_bytes() == b"1"


@pytest.mark.parametrize("name", ["../evil.shp", "a/../../evil.shp", "/etc/evil", "c:/evil", "a\\..\\evil"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    error = refusal(archive(tmp_path, {name: b"x"}))

    assert error.code.code == "vector.zip_unsafe"
    assert "leads out of the archive" in error.message
    assert not (tmp_path / "out").exists()


def test_a_file_behind_a_password_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, {"a.shp": b"x"})
    content = bytearray(path.read_bytes())
    # The first flag, in the directory at the end of the archive.
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)

    error = refusal(path)

    assert error.message == "a.zip: 'a.shp' is protected by a password"


def test_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    link = zipfile.ZipInfo("a.shp")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(link, "/etc/passwd")

    error = refusal(path)

    assert error.message == "a.zip: 'a.shp' is a link or a device"


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    error = refusal(archive(tmp_path, {"a.csv": bytes(64 * MIB)}))

    assert error.code.code == "vector.zip_unsafe"
    assert "grows" in error.message
    assert not (tmp_path / "out").exists()


def test_too_much_in_all_is_refused(tmp_path: Path) -> None:
    error = refusal(archive(tmp_path, {"a": b"abc", "b": b"abc"}), UnpackLimits(nbytes=5))

    assert error.message == "a.zip: its files have 6 bytes unpacked, more than 5"


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    error = refusal(archive(tmp_path, {f"f{n}": b"" for n in range(11)}), UnpackLimits(files=10))

    assert error.message == "a.zip: it has 11 files, more than 10"


def test_folders_that_are_too_deep_are_refused(tmp_path: Path) -> None:
    error = refusal(archive(tmp_path, {"a/" * 20 + "x.shp": b""}))

    assert "lies more than 16 folders deep" in error.message


def test_an_archive_within_an_archive_is_refused(tmp_path: Path) -> None:
    error = refusal(archive(tmp_path, {"inner.zip": b"PK"}))

    assert error.message == "a.zip: 'inner.zip' is an archive within the archive"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    error = refusal(archive(tmp_path, {"a.shp": b"1", "A.SHP": b"2"}))

    assert "two of its files have the same name" in error.message


def test_a_directory_that_lies_about_a_size_is_found_out(tmp_path: Path) -> None:
    path = archive(tmp_path, {"a.csv": b"x" * 5_000})
    content = path.read_bytes()
    honest = (5_000).to_bytes(4, "little")
    path.write_bytes(content.replace(honest, (50).to_bytes(4, "little")))

    error = refusal(path)

    assert error.code.code in ("vector.zip_unsafe", "vector.unreadable")
    assert sum(file.stat().st_size for file in (tmp_path / "out").rglob("*")) <= 50


def test_half_an_archive_is_unreadable(tmp_path: Path) -> None:
    path = archive(tmp_path, {"a.csv": b"abc" * 1_000})
    path.write_bytes(path.read_bytes()[:60])

    assert refusal(path).code.code == "vector.unreadable"
