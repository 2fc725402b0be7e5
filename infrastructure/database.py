"""The one way to PostgreSQL: a pool, transactions, and psycopg's errors in the core's terms."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, LiteralString, Self

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout
from pydantic_core import from_json

from config.settings import DatabaseSettings
from core import codes
from core.errors import TransientError
from core.json import dumps

logger = logging.getLogger(__name__)

Connection = psycopg.Connection[DictRow]
Parameters = Mapping[str, Any] | Sequence[Any] | None

# Deadlocks and serialization failures are the database's way to say "once more". A batch of ends
# meets one for each of its jobs that somebody stops at that very moment.
_ONCE_MORE = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_TRIES = 8

set_json_dumps(dumps)
# Faster than json's, and integers of any length stay what they are.
set_json_loads(from_json)


class _PooledConnection(psycopg.Connection[DictRow]):
    """A connection whose failed beginning is told, for a pool only says that it has waited."""

    @classmethod
    def connect(  # type: ignore[override]  # called by the pool with its own arguments only
        cls, conninfo: str = "", *, report: Callable[[Exception | None], None], **options: Any
    ) -> Self:
        """Connect, and tell `report` what kept it from it, or None."""
        try:
            connection = super().connect(conninfo, **options)
        except psycopg.Error as error:
            report(error)
            raise
        report(None)
        return connection


class _Busy(Exception):
    """Every connection is at work."""

    def __init__(self, size: int) -> None:
        super().__init__(f"all {size} connections of this process are at work")


class Database:
    """PostgreSQL behind one pool, opened at the first use.

    Args:
        settings: Where it is and how to get in.
        password: Called for every new connection, so that a token is always fresh.
        application_name: Shown in pg_stat_activity.
    """

    def __init__(
        self, settings: DatabaseSettings, password: Callable[[], str | None], application_name: str
    ) -> None:
        self._settings = settings
        self._password = password
        self._application_name = application_name
        self._refusal: Exception | None = None
        self._pool: ConnectionPool[_PooledConnection] = ConnectionPool(
            connection_class=_PooledConnection,
            kwargs=self._pool_arguments,
            min_size=0,
            max_size=settings.pool_size,
            timeout=settings.connect_timeout_seconds,
            # A connection that a failover left half open is found by age, not by a probe per use.
            max_idle=300,
            max_lifetime=3000,
            open=False,
        )
        self._opened = False

    @property
    def host(self) -> str:
        """Return where the server is, for messages."""
        return f"{self._settings.host}:{self._settings.port}"

    def fetch_all(
        self, query: LiteralString, parameters: Parameters = None, *, repeat: bool = True
    ) -> list[DictRow]:
        """Run one statement in its own transaction and return its rows.

        When its connection breaks nobody knows whether the statement was committed.

        Args:
            query: The statement.
            parameters: Its parameters.
            repeat: Run it again then; it must be idempotent. Else that is left to the caller.

        Raises:
            TransientError: The database does not answer, or refuses this role.
        """
        attempts = max(self._settings.pool_size, _TRIES) + 1
        for attempt in range(attempts):
            with self.translated("query"), self._checked_out() as connection:
                try:
                    return connection.execute(query, parameters).fetchall()
                except _ONCE_MORE:
                    if attempt >= _TRIES:
                        raise
                except psycopg.OperationalError:
                    # After a restart every pooled connection is dead; each is met once.
                    if not repeat or not connection.broken or attempt == attempts - 1:
                        raise
        raise AssertionError("unreachable")

    def fetch_one(self, query: LiteralString, parameters: Parameters = None) -> DictRow | None:
        """Run one statement as `fetch_all` does and return its first row."""
        rows = self.fetch_all(query, parameters)
        return rows[0] if rows else None

    def execute(self, query: LiteralString, parameters: Parameters = None) -> int:
        """Run one idempotent statement without rows; return how many it touched."""
        with self.translated("statement"), self._checked_out() as connection:
            return connection.execute(query, parameters).rowcount

    @contextmanager
    def transaction(
        self, *, timeout: timedelta | None = None, read_only: bool = False
    ) -> Iterator[Connection]:
        """Open a transaction that commits at the end of the block, or rolls back.

        Args:
            timeout: Longest statement in it; the role's setting if not given.
            read_only: Refuse writes.
        """
        with self.translated("transaction"), self._checked_out() as connection, connection.transaction():
            if timeout is not None:
                milliseconds = str(int(timeout.total_seconds() * 1000))
                connection.execute("SELECT set_config('statement_timeout', %s, true)", [milliseconds])
            if read_only:
                connection.execute("SET TRANSACTION READ ONLY")
            yield connection

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a pooled connection in autocommit."""
        with self.translated("connection"), self._checked_out() as connection:
            yield connection

    def dedicated(self, *, statement_timeout: timedelta) -> Connection:
        """Open a connection of its own, outside the pool, for heartbeats."""
        with self.translated("connect"):
            connection = psycopg.Connection[DictRow].connect(**self._connect_arguments())
            milliseconds = str(int(statement_timeout.total_seconds() * 1000))
            connection.execute("SELECT set_config('statement_timeout', %s, false)", [milliseconds])
            return connection

    def close(self) -> None:
        """Close every pooled connection."""
        if self._opened:
            self._pool.close()

    @contextmanager
    def translated(self, operation: str) -> Iterator[None]:
        """Turn psycopg's errors of availability and permission into `TransientError`."""
        try:
            yield
        except PoolTimeout as error:
            raise self._transient(operation, self._refusal or _Busy(self._settings.pool_size)) from error
        except psycopg.OperationalError as error:
            raise self._transient(operation, error) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise self._transient(operation, error) from error

    def _transient(self, operation: str, error: Exception) -> TransientError:
        text = str(error).removeprefix(f"{self.host}: ").strip()
        reason = text.splitlines()[0] if text else type(error).__name__
        return TransientError(codes.DATABASE_UNAVAILABLE, f"{self.host}: {operation}: {reason}")

    @contextmanager
    def _checked_out(self) -> Iterator[Connection]:
        if not self._opened:
            self._pool.open()
            self._opened = True
        with self._pool.connection() as connection:
            yield connection

    def _pool_arguments(self) -> dict[str, Any]:
        try:
            return {**self._connect_arguments(), "report": self._note_refusal}
        except TransientError as error:
            # No password could be had; the pool would keep that to itself, too.
            self._note_refusal(error)
            raise

    def _note_refusal(self, error: Exception | None) -> None:
        self._refusal = error

    def _connect_arguments(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "host": settings.host,
            "port": settings.port,
            "dbname": settings.database,
            "user": settings.user,
            "password": self._password(),
            "sslmode": settings.sslmode,
            "connect_timeout": settings.connect_timeout_seconds,
            "application_name": self._application_name,
            "prepare_threshold": settings.prepare_threshold,
            "row_factory": dict_row,
            "autocommit": True,
            "client_encoding": "utf8",
        }
