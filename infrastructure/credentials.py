"""One identity for everything that the app talks to."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from threading import Lock
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError
from azure.identity import DefaultAzureCredential

from config.settings import DatabaseSettings
from core import codes
from core.errors import TransientError

_DATABASE_SCOPE = "https://ossrdbms-aad.database.windows.net/.default"
_RENEW_BEFORE = timedelta(minutes=5)


class LazyCredential:
    """The managed identity in Azure, or whoever is signed in on a developer's machine.

    It is looked for at the first token, so that a system that runs on passwords and connection
    strings alone neither waits for it nor needs it. `AZURE_CLIENT_ID` names a user-assigned
    identity.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: DefaultAzureCredential | None = None

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token for the scopes, from the SDK's cache while it is valid."""
        with self._lock:
            if self._found is None:
                self._found = DefaultAzureCredential()
        return self._found.get_token(*scopes, **options)


@cache
def azure_credential() -> TokenCredential:
    """Return the credential that all clients of this process share, and with it its tokens."""
    return LazyCredential()


def database_password(
    settings: DatabaseSettings, credential: TokenCredential | None = None
) -> Callable[[], str | None]:
    """Return what gives the password of every new connection.

    Args:
        settings: Its password is used if it has one.
        credential: Whose tokens are used if not; by default the process's.
    """
    if settings.password is not None:
        return settings.password.get_secret_value
    return DatabaseToken(credential or azure_credential(), f"{settings.host}:{settings.port}")


class DatabaseToken:
    """A token of Entra ID, which Azure Database for PostgreSQL takes as a password.

    Args:
        credential: Who asks.
        host: The server, for messages.
    """

    def __init__(self, credential: TokenCredential, host: str) -> None:
        self._credential = credential
        self._host = host
        self._lock = Lock()
        self._token = AccessToken("", 0)

    def __call__(self) -> str:
        """Return a token that is valid for five more minutes at least.

        Raises:
            TransientError: There is no identity, or it gets no token now.
        """
        with self._lock:
            if self._token.expires_on - _RENEW_BEFORE.total_seconds() <= time.time():
                self._token = self._fresh()
            return self._token.token

    def _fresh(self) -> AccessToken:
        try:
            return self._credential.get_token(_DATABASE_SCOPE)
        except AzureError as error:
            reason = f"no Entra ID token ({type(error).__name__})"
            raise TransientError(codes.DATABASE_UNAVAILABLE, f"{self._host}: connect: {reason}") from error
