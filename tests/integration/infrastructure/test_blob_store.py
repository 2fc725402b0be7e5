"""Azure Blob Storage when it refuses, fails, or changes under a transfer, and what a transfer costs."""

import os
import resource
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from azure.core.exceptions import ResourceModifiedError
from azure.storage.blob import BlobClient

from core import codes
from core.errors import TransientError, is_out_of_space
from core.ports.blobs import BlobRef, PreconditionFailed, WriteOptions
from infrastructure.blob_store import AzureBlobStore
from infrastructure.blob_transfer import fetch
from tests.factories.blobs import Shelf
from tests.fixtures.azurite import ACCOUNT_KEY, AzuriteServer
from tests.fixtures.relay import Relay

WRONG_KEY = "d3Jvbmcta2V5LXdyb25nLWtleQ=="
MIB = 2**20
_REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def shelf(azure_blobs: AzureBlobStore, azure_container: str, tmp_path: Path) -> Shelf:
    return Shelf(azure_blobs, azure_container, tmp_path, "bronze-rasters")


def every_operation(store: AzureBlobStore, ref: BlobRef, file: Path) -> dict[str, Callable[[], object]]:
    return {
        f"look for container {ref.container}": lambda: store.container_exists(ref.container),
        f"create container {ref.container}": lambda: store.ensure_container(ref.container),
        f"look at {ref}": lambda: store.properties(ref),
        f"stage {ref}": lambda: store.upload(file, ref, WriteOptions()),
        f"commit {ref}": lambda: store.commit_empty(ref, {}),
        f"list {ref.container}/a/b/": lambda: list(store.list_blobs(ref.container, "a/b/")),
        f"delete {ref}": lambda: store.delete(ref),
    }


def test_an_account_without_permission_is_named_with_the_operation(
    azurite: AzuriteServer, shelf: Shelf
) -> None:
    store = AzureBlobStore(azurite.settings(key=WRONG_KEY), None)

    for name, operation in every_operation(store, shelf.ref(), shelf.file()).items():
        with pytest.raises(TransientError) as refused:
            operation()
        error = refused.value
        assert error.code == codes.STORAGE_FORBIDDEN
        assert error.message.startswith(f"127.0.0.1:{azurite.process.port}: {name}: ")
        assert WRONG_KEY not in error.message
    store.close()


def test_work_goes_on_when_the_store_is_back(azurite: AzuriteServer, shelf: Shelf, tmp_path: Path) -> None:
    ref = shelf.put(content=b"before").ref
    errors: dict[str, TransientError] = {}

    operations = every_operation(AzureBlobStore(azurite.settings(), None), ref, shelf.file())

    azurite.process.stop()
    try:
        # Each is tried for some seconds, so three stand for all.
        for name in (f"look at {ref}", f"stage {ref}", f"list {ref.container}/a/b/"):
            with pytest.raises(TransientError) as raised:
                operations[name]()
            errors[name] = raised.value
    finally:
        azurite.process.start()
    after = shelf.content(ref)
    shelf.put(content=b"after")

    for name, error in errors.items():
        assert error.code == codes.STORAGE_UNAVAILABLE
        assert error.message == f"127.0.0.1:{azurite.process.port}: {name}: Connection refused"
    assert after == b"before"
    assert shelf.content(ref) == b"after"


def test_a_transfer_survives_a_dropped_connection(
    azurite: AzuriteServer, shelf: Shelf, relay_to: Callable[[int], Relay], tmp_path: Path
) -> None:
    relay = relay_to(azurite.process.port)
    secret = azurite.connection_string().replace(f":{azurite.process.port}/", f":{relay.port}/")
    store = AzureBlobStore(azurite.settings(connection_string=secret), None)
    content = os.urandom(MIB) * 60
    source, stop = shelf.file(content), Event()

    def disturb() -> None:
        # Twice in the time of one transfer, and not so often that no request gets through.
        for _ in range(2):
            stop.wait(0.2)
            relay.drop()

    disturbance = Thread(target=disturb)
    disturbance.start()
    store.upload(source, shelf.ref(), WriteOptions())
    store.download(shelf.ref(), tmp_path / "target")
    stop.set()
    disturbance.join()

    assert (tmp_path / "target").read_bytes() == content
    store.close()


def test_a_blob_that_changes_between_two_ranges_is_not_mixed(
    azurite: AzuriteServer, shelf: Shelf, tmp_path: Path
) -> None:
    before = shelf.put(content=b"1" * 20 * MIB)
    shelf.put(content=b"2" * 20 * MIB)
    target = tmp_path / "download" / "target"
    target.parent.mkdir()
    client = BlobClient.from_connection_string(azurite.connection_string(), shelf.container, before.ref.name)

    with client, pytest.raises(ResourceModifiedError):
        fetch(client, before, target)
    with pytest.raises(PreconditionFailed):
        shelf.store.download(before.ref, target, if_match=before.etag)

    assert list(target.parent.iterdir()) == []


@pytest.fixture
def small_files() -> Iterator[int]:
    """Let this process write a part of a range and no more, as a disk does that fills meanwhile."""
    nbytes = 3 * MIB + 5
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, before[1]))
    yield nbytes
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_only_a_part_leaves_no_file(
    azurite: AzuriteServer, shelf: Shelf, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    blob = shelf.put(content=b"1" * 4 * MIB)
    target = tmp_path / "download" / "target"
    target.parent.mkdir()
    client = BlobClient.from_connection_string(azurite.connection_string(), shelf.container, blob.ref.name)

    request.getfixturevalue("small_files")
    with client, pytest.raises(OSError, match="File too large") as caught:
        fetch(client, blob, target)

    assert is_out_of_space(caught.value)
    assert list(target.parent.iterdir()) == []


def test_a_copy_of_several_ranges_is_whole(shelf: Shelf) -> None:
    nbytes = 130 * MIB + 5
    source = shelf.file()
    with source.open("wb") as file:
        file.truncate(nbytes)
        for offset in (0, 64 * MIB - 1, 128 * MIB, nbytes - 4):
            file.seek(offset)
            file.write(b"mark")
    ref = shelf.store.upload(source, shelf.ref("source"), WriteOptions()).ref

    copied = shelf.store.copy(ref, shelf.ref("target"), WriteOptions(block_prefix="copy"))

    assert copied.nbytes == nbytes
    assert subprocess.run(["cmp", source, downloaded(shelf, copied.ref)], check=False).returncode == 0


def downloaded(shelf: Shelf, ref: BlobRef) -> Path:
    target = shelf.directory / "downloaded"
    shelf.store.download(ref, target)
    return target


def test_a_signed_address_opens_for_reading_one_blob_until_it_ends(shelf: Shelf) -> None:
    ref, other = shelf.put("a b#ü.tif", b"content").ref, shelf.put("other.tif").ref
    signed = shelf.store.signed_url(ref, timedelta(minutes=5))
    signature = signed.partition("?")[2]

    assert status(signed) == 200
    assert status(shelf.store.url(ref)) in (403, 404)
    assert status(f"{shelf.store.url(other)}?{signature}") == 403
    assert status(signed, method="DELETE") == 403
    assert status(shelf.store.signed_url(ref, timedelta(minutes=-1))) == 403
    assert ACCOUNT_KEY not in signed


def status(url: str, method: str = "GET") -> int:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - the address is Azurite's
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - as above
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_memory_is_bounded_whatever_the_size(azurite: AzuriteServer, shelf: Shelf, tmp_path: Path) -> None:
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(300 * MIB)
    environment = os.environ | {
        "STORAGE_CONNECTION_STRING": azurite.connection_string(),
        "PYTHONPATH": str(_REPOSITORY),
    }

    peak = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(source), shelf.container, str(tmp_path / "target")],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    )

    grown = int(peak.stdout)
    assert (tmp_path / "target").stat().st_size == 300 * MIB
    # Four blocks of 8 MiB in flight, each held up to three times by the layers of HTTP.
    assert 0 < grown < 150 * MIB


_MEASURE = """
import sys, threading
from pathlib import Path
import psutil
from config.settings import StorageSettings
from core.ports.blobs import BlobRef, WriteOptions
from infrastructure.blob_store import AzureBlobStore

source, container, target = sys.argv[1:]
store = AzureBlobStore(StorageSettings(), None)
ref = BlobRef(container, "large")
store.container_exists(container)
process, done = psutil.Process(), threading.Event()
before = peak = process.memory_info().rss

def watch():
    global peak
    while not done.wait(0.005):
        peak = max(peak, process.memory_info().rss)

watcher = threading.Thread(target=watch)
watcher.start()
store.upload(Path(source), ref, WriteOptions())
store.download(ref, Path(target))
done.set()
watcher.join()
print(peak - before)
"""
