"""Azure Blob Storage with an identity in place of a key."""

import base64
import ipaddress
import json
import ssl
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from config.settings import StorageSettings
from core import codes
from core.errors import TransientError
from core.ports.blobs import BlobRef, WriteOptions
from infrastructure.blob_store import AzureBlobStore
from tests.fixtures.azurite import ACCOUNT, azurite_process


class Identity:
    """Gives tokens as Entra ID does; Azurite reads their claims and cannot check their signature."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        now = int(time.time())
        claims = {
            "aud": "https://storage.azure.com",
            "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
            "iat": now - 60,
            "nbf": now - 60,
            "exp": now + 3600,
            "oid": "23657296-5cd5-45b0-a809-d972a7f4dfe1",
            "tid": "ab1f708d-50f6-404c-a006-d71b2ac7a606",
        }
        parts = (json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        encoded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
        return AccessToken(".".join([*encoded, "c2lnbmF0dXJl"]), now + 3600)


class NoIdentity:
    """What a machine without an identity has."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        raise ClientAuthenticationError("no identity on this machine")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1, with its key beside it."""
    directory = tmp_path_factory.mktemp("certificate")
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (directory / "certificate.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return directory / "certificate.pem"


@pytest.fixture(scope="module")
def endpoint(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an Azurite that takes tokens, which it does over TLS only."""
    tls = ("--cert", str(certificate), "--key", str(certificate.with_name("key.pem")))
    process = azurite_process(tmp_path_factory.mktemp("azurite"), "--oauth", "basic", *tls)
    process.start()
    yield f"https://127.0.0.1:{process.port}/{ACCOUNT}"
    process.stop()


@pytest.fixture
def store(endpoint: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureBlobStore]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    store = AzureBlobStore(StorageSettings(account_name=ACCOUNT), Identity(), endpoint)
    store.ensure_container("identity")
    yield store
    store.close()


def read(url: str, certificate: Path) -> bytes:
    context = ssl.create_default_context(cafile=str(certificate))
    with urllib.request.urlopen(url, timeout=20, context=context) as response:  # noqa: S310 - Azurite's
        content: bytes = response.read()
        return content


def test_an_identity_signs_with_a_key_that_the_store_lends_it(
    store: AzureBlobStore, certificate: Path, tmp_path: Path
) -> None:
    ref = BlobRef("identity", "a b.tif")
    (tmp_path / "source").write_bytes(b"content")
    store.upload(tmp_path / "source", ref, WriteOptions())

    signed = store.signed_url(ref, timedelta(minutes=5))

    signature = parse_qs(urlsplit(signed).query)
    assert read(signed, certificate) == b"content"
    assert signature["sp"] == ["r"]
    assert signature["sr"] == ["b"]
    assert "skoid" in signature


def test_the_lent_key_is_used_again_while_it_outlives_the_signature(store: AzureBlobStore) -> None:
    def key(lifetime: timedelta) -> tuple[str, str]:
        signature = parse_qs(urlsplit(store.signed_url(BlobRef("identity", "a"), lifetime)).query)
        return signature["skt"][0], signature["ske"][0]

    first, second = key(timedelta(minutes=5)), key(timedelta(hours=20))
    longer = key(timedelta(days=2))

    assert first == second
    assert datetime.fromisoformat(longer[1]) > datetime.now(UTC) + timedelta(days=2)


def test_a_copy_needs_no_key(store: AzureBlobStore, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"content")
    source = store.upload(tmp_path / "source", BlobRef("identity", "source"), WriteOptions()).ref

    store.copy(source, BlobRef("identity", "target"), WriteOptions(if_absent=True))

    assert store.read_range(BlobRef("identity", "target"), 0, 100) == b"content"


def test_without_an_identity_access_is_refused_for_now(endpoint: str) -> None:
    store = AzureBlobStore(StorageSettings(account_name=ACCOUNT), NoIdentity(), endpoint)

    with pytest.raises(TransientError, match="look for container bronze-rasters") as refused:
        store.container_exists("bronze-rasters")

    assert refused.value.code == codes.STORAGE_FORBIDDEN


def test_the_public_address_is_made_from_the_account_name() -> None:
    store = AzureBlobStore(StorageSettings(account_name="terranedata"), Identity())

    url = store.url(BlobRef("silver-cogs", "a b.tif"))

    assert url == "https://terranedata.blob.core.windows.net/silver-cogs/a%20b.tif"
    assert store.ref("HTTPS://TERRANEDATA.blob.core.windows.net/silver-cogs/a%20b.tif") == BlobRef(
        "silver-cogs", "a b.tif"
    )
    assert store.ref("http://terranedata.blob.core.windows.net/silver-cogs/a%20b.tif") is None
    store.close()
