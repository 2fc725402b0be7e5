"""The passwords of new database connections."""

import time
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from pydantic import SecretStr

from config.settings import DatabaseSettings
from core import codes
from core.errors import TransientError
from infrastructure.credentials import azure_credential, database_password


class Issuer:
    """Gives numbered tokens of one lifetime in seconds."""

    def __init__(self, lifetime: int) -> None:
        self.lifetime = lifetime
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken(f"token-{len(self.scopes)}", int(time.time()) + self.lifetime)


class Nobody:
    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        raise ClientAuthenticationError("secret details")


def test_a_password_is_used_as_it_is() -> None:
    issuer = Issuer(3600)
    settings = DatabaseSettings(password=SecretStr("pass"))

    assert database_password(settings, issuer)() == "pass"
    assert issuer.scopes == []


def test_without_one_a_token_is_used_until_shortly_before_its_end() -> None:
    lasting, ending = Issuer(3600), Issuer(290)

    lasting_password = database_password(DatabaseSettings(), lasting)
    ending_password = database_password(DatabaseSettings(), ending)

    assert [lasting_password(), lasting_password()] == ["token-1", "token-1"]
    assert [ending_password(), ending_password()] == ["token-1", "token-2"]
    assert lasting.scopes == ["https://ossrdbms-aad.database.windows.net/.default"]


def test_no_token_for_now_is_a_passing_fault_of_that_server() -> None:
    password = database_password(DatabaseSettings(host="db.example", port=6432), Nobody())

    with pytest.raises(TransientError, match=r"^db\.example:6432: connect: no Entra ID token") as raised:
        password()

    assert raised.value.code == codes.DATABASE_UNAVAILABLE
    assert "secret" not in raised.value.message


def test_one_credential_serves_the_process() -> None:
    assert azure_credential() is azure_credential()
