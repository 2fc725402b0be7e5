"""Signatures that let anyone read one blob for a while."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol

from azure.storage.blob import BlobSasPermissions, BlobServiceClient, UserDelegationKey, generate_blob_sas

from core.ports.blobs import BlobRef

# A key lives for 7 days at most; a day is long enough to ask seldom and short enough to forget.
_KEY_LIFETIME = timedelta(days=1)
_RENEW_BEFORE = timedelta(minutes=5)
# Clocks differ; a key or signature that starts in the store's future would be refused.
_CLOCK_SKEW = timedelta(minutes=5)


class Signer(Protocol):
    """Signs with what the deployment has."""

    def sign(self, ref: BlobRef, lifetime: timedelta) -> str:
        """Return the query of a signed address."""
        ...


@dataclass(frozen=True)
class AccountKeySigner:
    """Signs with the account's key, from a connection string."""

    account: str
    key: str

    def sign(self, ref: BlobRef, lifetime: timedelta) -> str:
        """Return the query of a service SAS that reads one blob."""
        return generate_blob_sas(
            self.account,
            ref.container,
            ref.name,
            account_key=self.key,
            permission=BlobSasPermissions(read=True),
            expiry=datetime.now(UTC) + lifetime,
        )


class DelegationSigner:
    """Signs with a key that the store lends to an identity.

    Args:
        client: Authenticated by a token.
        account: Name of the account.
    """

    def __init__(self, client: BlobServiceClient, account: str) -> None:
        self._client = client
        self._account = account
        self._lock = Lock()
        self._key: UserDelegationKey | None = None
        self._expiry = datetime.min.replace(tzinfo=UTC)

    def sign(self, ref: BlobRef, lifetime: timedelta) -> str:
        """Return the query of a user-delegation SAS that reads one blob."""
        expiry = datetime.now(UTC) + lifetime
        return generate_blob_sas(
            self._account,
            ref.container,
            ref.name,
            user_delegation_key=self._key_until(expiry),
            permission=BlobSasPermissions(read=True),
            expiry=expiry,
        )

    def _key_until(self, expiry: datetime) -> UserDelegationKey:
        with self._lock:
            now = datetime.now(UTC)
            if self._key is None or self._expiry < max(expiry, now) + _RENEW_BEFORE:
                self._expiry = max(now + _KEY_LIFETIME, expiry + _RENEW_BEFORE)
                self._key = self._client.get_user_delegation_key(now - _CLOCK_SKEW, self._expiry)
            return self._key
