"""The blob store port: deletion, alike in every adapter."""

from datetime import timedelta

import pytest

from core import codes
from core.errors import InvalidInput
from core.ports.blobs import BlobRef, Deletion, PreconditionFailed, WriteOptions
from tests.factories.blobs import Shelf

OTHER_ETAG = '"0x8DBEEF000000000"'


def test_a_deletion_says_whether_there_was_something(shelf: Shelf) -> None:
    shelf.put()

    assert shelf.store.delete(shelf.ref()) is True
    assert shelf.store.delete(shelf.ref()) is False
    assert shelf.store.delete(shelf.ref(), if_match=OTHER_ETAG) is False
    assert shelf.store.delete(BlobRef("no-such-container", "a")) is False


def test_a_conditional_deletion_spares_a_later_version(shelf: Shelf) -> None:
    first = shelf.put(content=b"first")
    second = shelf.put(content=b"second")

    with pytest.raises(PreconditionFailed):
        shelf.store.delete(first.ref, if_match=first.etag)

    assert shelf.content(first.ref) == b"second"
    assert shelf.store.delete(second.ref, if_match=second.etag) is True


def test_a_deletion_by_prefix_removes_what_is_under_it_and_counts(shelf: Shelf) -> None:
    for name in ("temp/job/1", "temp/job/2", "temp/job2/1", "temp/other"):
        shelf.put(name, b"12345")

    deletion = shelf.store.delete_blobs_by_prefix(shelf.container, "temp/job/")

    assert deletion == Deletion(count=2, nbytes=10, more=False)
    assert shelf.names() == ["temp/job2/1", "temp/other"]
    assert shelf.store.delete_blobs_by_prefix(shelf.container, "temp/job/") == Deletion(0, 0)


def test_a_deletion_by_prefix_stops_at_its_limit_and_says_that_there_is_more(shelf: Shelf) -> None:
    for number in range(5):
        shelf.put(f"temp/job/{number}", b"12345")

    first = shelf.store.delete_blobs_by_prefix(shelf.container, "temp/job/", limit=3)
    rest = shelf.store.delete_blobs_by_prefix(shelf.container, "temp/job/", limit=3)

    assert (first, rest) == (Deletion(3, 15, more=True), Deletion(2, 10, more=False))


def test_a_deletion_by_prefix_spares_what_is_not_older(shelf: Shelf) -> None:
    written = shelf.put("temp/job/1").last_modified

    # The store keeps whole seconds, so within one nothing is known to be older.
    same_second = shelf.store.delete_blobs_by_prefix(
        shelf.container, "temp/job/", modified_before=written + timedelta(microseconds=999_999)
    )
    later = shelf.store.delete_blobs_by_prefix(
        shelf.container, "temp/job/", modified_before=written + timedelta(seconds=1)
    )

    assert (same_second.count, later.count) == (0, 1)


@pytest.mark.parametrize("prefix", ["", "/", "temp", "temp/", "//temp//"])
def test_a_deletion_by_a_short_prefix_is_refused(shelf: Shelf, prefix: str) -> None:
    shelf.put("temp/job/1")

    with pytest.raises(InvalidInput) as refused:
        shelf.store.delete_blobs_by_prefix(shelf.container, prefix)

    assert refused.value.code == codes.STORAGE_PREFIX_REFUSED
    assert shelf.names() == ["temp/job/1"]


def test_nothing_is_deleted_by_prefix_from_a_source_container(shelf: Shelf) -> None:
    shelf.store.ensure_container(shelf.bronze)
    source = BlobRef(shelf.bronze, "folder/deeper/source.tif")
    shelf.store.upload(shelf.file(), source, WriteOptions())

    with pytest.raises(InvalidInput, match=shelf.bronze) as refused:
        shelf.store.delete_blobs_by_prefix(shelf.bronze, "folder/deeper/")

    assert refused.value.code == codes.STORAGE_PREFIX_REFUSED
    assert shelf.store.properties(source).nbytes == 7


@pytest.mark.parametrize("container", ["bronze-archive", "bronze-rasters", "bronze-vectors"])
def test_no_container_of_sources_is_deleted_from_whatever_the_settings_call_theirs(
    shelf: Shelf, container: str
) -> None:
    with pytest.raises(InvalidInput, match=container) as refused:
        shelf.store.delete_blobs_by_prefix(container, "folder/deeper/")

    assert refused.value.code == codes.STORAGE_PREFIX_REFUSED
