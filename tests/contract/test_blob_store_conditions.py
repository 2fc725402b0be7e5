"""The blob store port: conditional writes, alike in every adapter."""

import pytest

from core.errors import NotFound
from core.ports.blobs import PreconditionFailed, WriteOptions
from tests.factories.blobs import Shelf

OTHER_ETAG = '"0x8DBEEF000000000"'


def test_an_upload_replaces_unless_it_is_conditional(shelf: Shelf) -> None:
    first = shelf.put(content=b"first", metadata={"by": "one"})

    second = shelf.put(content=b"second")

    assert shelf.content(second.ref) == b"second"
    assert second.etag != first.etag
    assert shelf.store.properties(second.ref).metadata == {}


def test_if_absent_writes_once(shelf: Shelf) -> None:
    shelf.put(content=b"first", if_absent=True)

    with pytest.raises(PreconditionFailed):
        shelf.put(content=b"second", if_absent=True)

    assert shelf.content(shelf.ref()) == b"first"


def test_if_match_writes_over_that_version_only(shelf: Shelf) -> None:
    first = shelf.put(content=b"first")
    shelf.put(content=b"second", if_match=first.etag)

    with pytest.raises(PreconditionFailed):
        shelf.put(content=b"third", if_match=first.etag)
    with pytest.raises(PreconditionFailed):
        shelf.put("absent", content=b"third", if_match=first.etag)

    assert shelf.content(shelf.ref()) == b"second"
    assert shelf.names() == ["a.bin"]


def test_staged_blocks_are_invisible_until_they_are_committed(shelf: Shelf) -> None:
    shelf.put(content=b"old")

    staged = shelf.store.stage(shelf.file(b"new"), shelf.ref(), WriteOptions(block_prefix="two"))
    fresh = shelf.store.stage(shelf.file(b"new"), shelf.ref("fresh"), WriteOptions(block_prefix="two"))

    assert shelf.content(shelf.ref()) == b"old"
    assert shelf.names() == ["a.bin"]
    with pytest.raises(NotFound):
        shelf.store.properties(fresh.ref)
    assert shelf.store.commit(staged, WriteOptions()).nbytes == 3
    assert shelf.content(shelf.ref()) == b"new"


def test_of_two_writers_the_first_to_commit_wins_and_the_blocks_never_mix(shelf: Shelf) -> None:
    slow, fast = WriteOptions(block_prefix="slow"), WriteOptions(block_prefix="a-much-longer-prefix")
    content = b"s" * 9_000_000, b"f" * 9_000_001

    first = shelf.store.stage(shelf.file(content[0]), shelf.ref(), slow)
    second = shelf.store.stage(shelf.file(content[1]), shelf.ref(), fast)
    shelf.store.commit(second, fast)

    with pytest.raises(PreconditionFailed):
        shelf.store.commit(first, slow)
    assert shelf.content(shelf.ref()) == content[1]


def test_a_commit_may_be_repeated_by_its_writer(shelf: Shelf) -> None:
    options = WriteOptions(block_prefix="task", metadata={"fence": "1"})
    staged = shelf.store.stage(shelf.file(b"content"), shelf.ref(), options)
    first = shelf.store.commit(staged, options)

    again = shelf.store.commit(staged, WriteOptions(if_match=first.etag, metadata={"fence": "2"}))

    assert shelf.content(shelf.ref()) == b"content"
    assert again.etag != first.etag
    assert shelf.store.properties(shelf.ref()).metadata == {"fence": "2"}


def test_an_empty_commit_discards_staged_blocks_so_that_a_late_commit_fails(shelf: Shelf) -> None:
    options = WriteOptions(if_absent=True, block_prefix="late")
    staged = shelf.store.stage(shelf.file(b"late"), shelf.ref(), options)

    etag = shelf.store.commit_empty(shelf.ref(), {"maker": "a"})
    removed = shelf.store.delete(shelf.ref(), if_match=etag)

    assert removed is True
    with pytest.raises(PreconditionFailed):
        shelf.store.commit(staged, options)
    assert shelf.names() == []


def test_an_empty_commit_destroys_nothing(shelf: Shelf) -> None:
    shelf.put(content=b"content")

    with pytest.raises(PreconditionFailed):
        shelf.store.commit_empty(shelf.ref(), {"maker": "a"})

    assert shelf.content(shelf.ref()) == b"content"


def test_a_copy_keeps_the_conditions_of_its_target(shelf: Shelf) -> None:
    source, target = shelf.put("source", b"new").ref, shelf.put("target", b"old")

    with pytest.raises(PreconditionFailed):
        shelf.store.copy(source, target.ref, WriteOptions(if_absent=True))
    with pytest.raises(PreconditionFailed):
        shelf.store.copy(source, target.ref, WriteOptions(if_match=OTHER_ETAG))
    kept = shelf.content(target.ref)
    shelf.store.copy(source, target.ref, WriteOptions(if_match=target.etag))

    assert kept == b"old"
    assert shelf.content(target.ref) == b"new"
