"""Addresses of blobs, in both directions."""

from urllib.parse import urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.blob_names import normalised_blob_name
from core.errors import InvalidInput
from core.ports.blobs import BlobRef
from infrastructure.blob_addresses import BlobAddresses

AZURE = BlobAddresses("https://terranedata.blob.core.windows.net")
AZURITE = BlobAddresses("http://127.0.0.1:10000/devstoreaccount1")


@given(name=st.text(min_size=1, max_size=40))
@pytest.mark.parametrize("addresses", [AZURE, AZURITE])
def test_every_usable_name_survives_the_way_out_and_back(addresses: BlobAddresses, name: str) -> None:
    try:
        normalised_blob_name(name)
    except InvalidInput:
        assume(False)
    ref = BlobRef("silver-cogs", name)

    url = addresses.url(ref)

    assert addresses.ref(url) == ref
    assert addresses.ref(f"/vsiaz/{ref}") == ref
    assert addresses.ref(f"az://{ref}") == ref
    assert url.isascii()
    assert (urlsplit(url).query, urlsplit(url).fragment) == ("", "")


@given(href=st.text(max_size=60))
@pytest.mark.parametrize("start", ["", "az://", "/vsiaz/", "https://terranedata.blob.core.windows.net/"])
def test_whatever_an_address_holds_it_names_a_usable_blob_or_none(start: str, href: str) -> None:
    ref = AZURE.ref(start + href)

    if ref is not None:
        assert normalised_blob_name(ref.name) == ref.name
        assert AZURE.ref(AZURE.url(ref)) == ref


def test_another_account_of_one_host_is_another_account() -> None:
    assert AZURITE.ref("http://127.0.0.1:10000/devstoreaccount1/silver-cogs/a.tif") is not None
    assert AZURITE.ref("http://127.0.0.1:10000/devstoreaccount2/silver-cogs/a.tif") is None
    assert AZURITE.ref("http://127.0.0.1:10001/devstoreaccount1/silver-cogs/a.tif") is None
    assert AZURITE.ref("http://127.0.0.1:10000/devstoreaccount11/silver-cogs/a.tif") is None


def test_the_host_is_named_with_its_port() -> None:
    assert AZURE.host == "terranedata.blob.core.windows.net"
    assert AZURITE.host == "127.0.0.1:10000"
