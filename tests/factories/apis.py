"""The reading APIs as the Functions library calls them, without the host around it."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import azure.functions as func
from pydantic import SecretStr

from config.settings import DatabaseSettings, Settings, StorageSettings
from core.json import JsonObject
from triggers.bootstrap import App

HOST = "https://terrane.test"


@dataclass(frozen=True)
class ApiAnswer:
    """An answer of one of the APIs."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ApiClient:
    """Asks the APIs of an app of its own, on one event loop, as the worker's."""

    def __init__(
        self, database: DatabaseSettings, storage: StorageSettings | None = None, **catalogue: Any
    ) -> None:
        settings = Settings()
        # The test server asks for no password; without one the app would ask for a token.
        settings.database = database.model_copy(update={"password": SecretStr("unused")})
        settings.storage = storage or settings.storage
        settings.catalogue = settings.catalogue.model_copy(update=catalogue)
        self.app = App(settings)
        self._loop = asyncio.Runner()

    def get(self, path: str, **headers: str) -> ApiAnswer:
        return self.request("GET", path, None, **headers)

    def request(self, method: str, path: str, body: JsonObject | None, **headers: str) -> ApiAnswer:
        return self._loop.run(self._request(method, path, body, headers))

    def requests(self, *paths: str) -> list[ApiAnswer]:
        """Ask all at once."""

        async def ask() -> list[ApiAnswer]:
            return await asyncio.gather(*(self._request("GET", path, None, {}) for path in paths))

        return self._loop.run(ask())

    def close(self) -> None:
        async def close() -> None:
            for middleware in self.app.apis.values():
                await middleware._app.app.close()

        self._loop.run(close())
        self._loop.close()
        if "database" in self.app.__dict__:
            self.app.database.close()

    async def _request(
        self, method: str, path: str, body: JsonObject | None, headers: dict[str, str]
    ) -> ApiAnswer:
        content = json.dumps(body).encode() if body is not None else b""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if "://" in path else HOST + path
        request = func.HttpRequest(
            method=method,
            url=url,
            headers={"host": url.split("/")[2], "content-type": "application/json", **given},
            body=content,
        )
        name = url.split("/")[4].partition("?")[0]
        response = await self.app.apis[name].handle_async(request)
        answered = {key.lower(): value for key, value in response.headers.items()}
        return ApiAnswer(response.status_code, answered, response.get_body())
