"""How operators' questions are put to the database: read-only, briefly, and by the app's own role."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import LiteralString

import psycopg
from psycopg import sql

from core import codes
from core.errors import TransientError
from core.json import JsonObject
from infrastructure.database import Connection, Database, Parameters

_TIMEOUT = timedelta(seconds=5)
# A table that is gone since it was found, a view that divides by nought, a library that is not loaded.
_REFUSALS = (
    psycopg.ProgrammingError,
    psycopg.DataError,
    psycopg.NotSupportedError,
    psycopg.InternalError,
    psycopg.errors.ObjectNotInPrerequisiteState,
)


class Refused(Exception):
    """The database cannot answer this, whoever asks again; the message is its own."""


class ReadOnly:
    """Statements in read-only transactions with a time limit.

    The app's role owns neither the engine's schema nor the catalogue's, and a read-only transaction
    refuses what it could write elsewhere, also through a function or a view.

    Args:
        database: The app database.
        timeout: Longest statement.
    """

    def __init__(self, database: Database, timeout: timedelta = _TIMEOUT) -> None:
        self._database = database
        self._timeout = timeout

    def rows(self, query: LiteralString | sql.Composed, parameters: Parameters = None) -> list[JsonObject]:
        """Return the rows of one statement.

        Raises:
            TransientError: It took too long (``diagnostics.timeout``), or the database does not answer.
            Refused: The database has a reason not to answer.
        """
        with self.transaction() as connection:
            return connection.execute(query, parameters).fetchall()

    def row(self, query: LiteralString, parameters: Parameters = None) -> JsonObject | None:
        """Return the first row of one statement, or None."""
        return next(iter(self.rows(query, parameters)), None)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open such a transaction."""
        with self._database.transaction(timeout=self._timeout, read_only=True) as connection:
            try:
                yield connection
            except psycopg.errors.QueryCanceled as error:
                told = f"The answer took longer than {self._timeout.total_seconds():g} s."
                raise TransientError(codes.DIAGNOSTICS_TIMEOUT, told) from error
            except _REFUSALS as error:
                raise Refused(error.diag.message_primary or type(error).__name__) from error
