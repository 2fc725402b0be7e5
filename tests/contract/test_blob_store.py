"""The blob store port: what every adapter does alike."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core import codes
from core.errors import InvalidInput, NotFound
from core.ports.blobs import BlobRef, PreconditionFailed, WriteOptions
from tests.factories.blobs import Shelf

OTHER_ETAG = '"0x8DBEEF000000000"'


def test_a_container_is_there_once_it_is_ensured_and_twice_does_no_harm(shelf: Shelf) -> None:
    before = shelf.store.container_exists("ensured-container")

    shelf.store.ensure_container("ensured-container")
    shelf.store.ensure_container("ensured-container")

    assert before is False
    assert shelf.store.container_exists("ensured-container") is True


@pytest.mark.parametrize("name", ["", "UPPER", "a/b", "..", "x" * 64, "two--hyphens"])
def test_an_impossible_container_does_not_exist_and_is_refused(shelf: Shelf, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        shelf.store.ensure_container(name)
    with pytest.raises(NotFound) as missing:
        shelf.store.properties(BlobRef(name, "a.bin"))

    assert shelf.store.container_exists(name) is False
    assert refused.value.code == codes.STORAGE_REFUSED
    assert missing.value.code == codes.CONTAINER_MISSING


def test_an_upload_is_read_back_with_what_was_said_about_it(shelf: Shelf) -> None:
    written = shelf.put(
        "folder/a.tif",
        b"0123456789",
        content_type="image/tiff",
        metadata={"terrane_job": "f" * 64, "terrane_fence": "7"},
        access_tier="Cool",
    )

    found = shelf.store.properties(written.ref)
    assert shelf.content(written.ref) == b"0123456789"
    assert found == written
    assert found.ref == shelf.ref("folder/a.tif")
    assert found.nbytes == 10
    assert found.content_type == "image/tiff"
    assert found.metadata == {"terrane_job": "f" * 64, "terrane_fence": "7"}
    assert found.access_tier == "Cool"
    assert found.etag.startswith('"')
    assert abs(found.last_modified - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_empty_file_makes_an_empty_blob(shelf: Shelf) -> None:
    written = shelf.put(content=b"")

    assert written.nbytes == 0
    assert shelf.content(written.ref) == b""


def test_files_of_many_blocks_are_read_back_whole(shelf: Shelf) -> None:
    content = os.urandom(2**20) * 19 + b"tail"

    written = shelf.put(content=content, block_prefix="task-1")

    assert written.nbytes == len(content)
    assert shelf.content(written.ref) == content


def test_what_is_not_there_is_named(shelf: Shelf) -> None:
    absent, nowhere = shelf.ref("absent.tif"), BlobRef("no-such-container", "a.tif")
    source = shelf.file()

    for ask in (shelf.store.properties, shelf.content, lambda ref: shelf.store.read_range(ref, 0, 1)):
        with pytest.raises(NotFound, match=r"absent\.tif") as missing:
            ask(absent)
        assert missing.value.code == codes.BLOB_MISSING
        with pytest.raises(NotFound, match="no-such-container") as homeless:
            ask(nowhere)
        assert homeless.value.code == codes.CONTAINER_MISSING
    with pytest.raises(NotFound, match="no-such-container") as unwritten:
        shelf.store.upload(source, nowhere, WriteOptions())
    with pytest.raises(NotFound, match="no-such-container") as unlisted:
        list(shelf.store.list_blobs("no-such-container"))

    assert unwritten.value.code == unlisted.value.code == codes.CONTAINER_MISSING


def test_a_failed_download_leaves_no_file(shelf: Shelf, tmp_path: Path) -> None:
    shelf.put()
    target = tmp_path / "new" / "target"
    target.parent.mkdir()

    with pytest.raises(PreconditionFailed):
        shelf.store.download(shelf.ref(), target, if_match=OTHER_ETAG)
    with pytest.raises(NotFound):
        shelf.store.download(shelf.ref("absent"), target)

    assert list(target.parent.iterdir()) == []


def test_a_download_of_the_expected_version_returns_it(shelf: Shelf, tmp_path: Path) -> None:
    written = shelf.put(content=b"version 1")

    found = shelf.store.download(written.ref, tmp_path / "target", if_match=written.etag)

    assert found.etag == written.etag
    assert (tmp_path / "target").read_bytes() == b"version 1"


@pytest.mark.parametrize(
    ("offset", "nbytes", "expected"),
    [(0, 4, b"0123"), (4, 3, b"456"), (8, 100, b"89"), (10, 1, b""), (999, 1, b""), (3, 0, b"")],
)
def test_a_range_ends_with_the_blob(shelf: Shelf, offset: int, nbytes: int, expected: bytes) -> None:
    ref = shelf.put(content=b"0123456789").ref

    assert shelf.store.read_range(ref, offset, nbytes) == expected


def test_a_copy_is_described_by_its_options_alone(shelf: Shelf) -> None:
    source = shelf.put("source", b"content", content_type="image/tiff", metadata={"by": "source"})

    copied = shelf.store.copy(
        source.ref, shelf.ref("target"), WriteOptions(content_type="image/png", metadata={"by": "copy"})
    )

    found = shelf.store.properties(copied.ref)
    assert shelf.content(copied.ref) == b"content"
    assert (found.nbytes, found.etag) == (7, copied.etag)
    assert (found.content_type, found.metadata) == ("image/png", {"by": "copy"})
    assert shelf.store.properties(source.ref).metadata == {"by": "source"}


def test_a_copy_of_nothing_says_so(shelf: Shelf) -> None:
    with pytest.raises(NotFound, match="absent") as missing:
        shelf.store.copy(shelf.ref("absent"), shelf.ref("target"), WriteOptions())

    assert missing.value.code == codes.BLOB_MISSING
    assert shelf.names() == []


def test_blobs_are_listed_by_prefix_in_order_of_name(shelf: Shelf) -> None:
    for name in ("b/2", "a", "b/1", "b", "c/1"):
        shelf.put(name, name.encode(), metadata={"name": name})

    assert shelf.names() == ["a", "b", "b/1", "b/2", "c/1"]
    assert shelf.names("b/") == ["b/1", "b/2"]
    assert shelf.names("nothing") == []
    [listed] = shelf.store.list_blobs(shelf.container, "c/")
    assert listed == shelf.store.properties(shelf.ref("c/1"))


def test_folders_are_listed_without_what_lies_in_them(shelf: Shelf) -> None:
    for name in ("temp/a/1", "temp/a/2", "temp/b/deep/1", "temp/c", "temporary/1", "other/1"):
        shelf.put(name)

    assert list(shelf.store.list_folders(shelf.container)) == ["other/", "temp/", "temporary/"]
    assert list(shelf.store.list_folders(shelf.container, "temp/")) == ["temp/a/", "temp/b/"]
    assert list(shelf.store.list_folders(shelf.container, "nowhere/")) == []


def test_folders_of_a_missing_container_are_not_found(shelf: Shelf) -> None:
    with pytest.raises(NotFound):
        list(shelf.store.list_folders("no-such-container"))
