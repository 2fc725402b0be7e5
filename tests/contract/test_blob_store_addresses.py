"""The blob store port: names and addresses, alike in every adapter."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from core import codes
from core.errors import InvalidInput
from core.ports.blobs import BlobRef, WriteOptions
from tests.factories.blobs import Shelf

ODD_NAMES = [
    "with space.tif",
    "100%.tif",
    "already%20encoded.tif",
    "a#b?c&d=e+f.tif",
    "Größe/東京/\U0001f5fa.tif",
    "decomposed-u\u0308.tif",
    "quote'\"(1)[2]{3};:@!$*,~.tif",
    "double//slash.tif",
    "ends./with.dots...",
    "x" * 1024,
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_kept_to_the_letter(shelf: Shelf, name: str) -> None:
    ref = shelf.put(name, name.encode()).ref

    copied = shelf.store.copy(ref, shelf.ref("copy"), WriteOptions()).ref
    listed = shelf.names(name[:4])
    url = shelf.store.url(ref)

    assert shelf.content(ref) == shelf.content(copied) == name.encode()
    assert name in listed
    assert shelf.store.ref(url) == ref
    assert url.isascii()
    assert not set(url) & set(" #?\"'\\")
    assert shelf.store.delete(ref) is True


@pytest.mark.parametrize("name", ["", "/a", "a\\b", "a/../b", "./a", "..", "a/.", "a\nb", "x" * 1025])
def test_unusable_names_are_refused_wherever_they_are_given(shelf: Shelf, name: str) -> None:
    ref, source = shelf.ref(name), shelf.put().ref
    attempts: list[Callable[[], object]] = [
        lambda: shelf.put(name),
        lambda: shelf.store.properties(ref),
        lambda: shelf.content(ref),
        lambda: shelf.store.read_range(ref, 0, 1),
        lambda: shelf.store.copy(source, ref, WriteOptions()),
        lambda: shelf.store.commit_empty(ref, {}),
        lambda: shelf.store.delete(ref),
    ]

    for attempt in attempts:
        with pytest.raises(InvalidInput) as refused:
            attempt()
        assert refused.value.code == codes.BLOB_NAME_INVALID


def test_every_form_of_an_address_names_the_blob(shelf: Shelf) -> None:
    ref = BlobRef("silver-cogs", "a b/c#1.tif")
    canonical = shelf.store.url(ref)

    forms = [
        canonical,
        canonical + "?sv=2024-01-01&sig=secret",
        "/vsiaz/silver-cogs/a b/c#1.tif",
        "az://silver-cogs/a b/c#1.tif",
    ]

    assert [shelf.store.ref(form) for form in forms] == [ref] * 4
    assert canonical.endswith("/silver-cogs/a%20b/c%231.tif")


def test_addresses_of_others_name_nothing(shelf: Shelf) -> None:
    canonical = shelf.store.url(shelf.ref("a.tif"))
    scheme, _, rest = canonical.partition("://")

    foreign = [
        "https://elsewhere.blob.core.windows.net/silver-cogs/a.tif",
        f"ftp://{rest}",
        f"{scheme}://user@{rest}",
        canonical.replace("/a.tif", "/%2E%2E/other/a.tif"),
        canonical.replace("/a.tif", ""),
        canonical.replace("/a.tif", "/%FF.tif"),
        "/vsiaz/silver-cogs",
        "/vsiaz/Silver/a.tif",
        "az://silver-cogs/../other/a.tif",
        "/vsicurl/http://elsewhere/a.tif",
        "a.tif",
        "http://[bad",
        "",
    ]

    assert [shelf.store.ref(href) for href in foreign] == [None] * len(foreign)


def test_a_signed_address_is_the_canonical_one_with_a_signature(shelf: Shelf) -> None:
    ref = shelf.put("a b#.tif").ref

    signed = shelf.store.signed_url(ref, timedelta(hours=1))

    address, _, signature = signed.partition("?")
    assert address == shelf.store.url(ref)
    assert "sig=" in signature
    assert shelf.store.ref(signed) == ref
