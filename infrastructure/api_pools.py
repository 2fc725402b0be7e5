"""Pools of the reading APIs, which bring database code of their own.

Every connection asks for the password anew, so that a token is always fresh. Nothing is prepared
and no option is sent at start-up, so that PgBouncer may stand between: the role's own
`search_path` finds pgSTAC (`PgStacBootstrap`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg
import orjson
import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from config.settings import DatabaseSettings
from core.errors import TransientError

#: What the libraries raise when the database does not answer.
UNAVAILABLE: tuple[type[Exception], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    OSError,
    TimeoutError,
    psycopg.OperationalError,
    PoolTimeout,
    TransientError,
)

#: What they raise for a value in a query that the database cannot take.
REFUSED: tuple[type[Exception], ...] = (
    asyncpg.DataError,
    asyncpg.exceptions.RaiseError,
    asyncpg.UndefinedFunctionError,
    psycopg.DataError,
    psycopg.errors.RaiseException,
)

_MAX_IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class ApiDatabase:
    """How a reading API gets into the app database.

    Args:
        settings: Where it is.
        password: Called for every new connection; may block.
        pool_size: Most connections of a pool.
        application_name: Shown in pg_stat_activity.
    """

    settings: DatabaseSettings
    password: Callable[[], str | None]
    pool_size: int
    application_name: str

    async def asyncpg_pool(self) -> asyncpg.Pool:
        """Return a pool for the running event loop; it connects when it is first used."""
        settings = self.settings
        return await asyncpg.create_pool(
            host=settings.host,
            port=settings.port,
            database=settings.database,
            user=settings.user,
            password=self._password,
            ssl=settings.sslmode,
            timeout=settings.connect_timeout_seconds,
            min_size=0,
            max_size=self.pool_size,
            max_inactive_connection_lifetime=_MAX_IDLE_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": self.application_name},
            init=_decode_json,
        )

    def psycopg_pool(self) -> ConnectionPool:
        """Return an open pool of plain connections; it connects when it is first used."""
        settings = self.settings
        return ConnectionPool(
            kwargs=lambda: {
                "host": settings.host,
                "port": settings.port,
                "dbname": settings.database,
                "user": settings.user,
                "password": self.password(),
                "sslmode": settings.sslmode,
                "connect_timeout": settings.connect_timeout_seconds,
                "application_name": self.application_name,
                "prepare_threshold": None,
            },
            min_size=0,
            max_size=self.pool_size,
            timeout=settings.connect_timeout_seconds,
            max_idle=_MAX_IDLE_SECONDS,
            open=True,
        )

    async def _password(self) -> str | None:
        return await asyncio.to_thread(self.password)


async def _decode_json(connection: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=_dumps, decoder=orjson.loads, schema="pg_catalog")


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()
