"""Numbered SQL migrations, each applied once, in its own transaction.

A rebuild drops the schema ``app`` and applies all of them again: what one makes elsewhere it makes only
if it is not there.
"""

import logging
from collections.abc import Sequence
from importlib.resources import files
from typing import LiteralString

from infrastructure.database import Connection

logger = logging.getLogger(__name__)

_LEDGER: LiteralString = """
CREATE TABLE IF NOT EXISTS public.terrane_migrations (
    name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())
"""


def available() -> Sequence[str]:
    """Return the names of this release's migrations, in order."""
    folder = files("infrastructure.sql").joinpath("migrations")
    return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))


def pending(connection: Connection) -> Sequence[str]:
    """Return the migrations that the database lacks, in order."""
    connection.execute(_LEDGER)
    applied = {row["name"] for row in connection.execute("SELECT name FROM public.terrane_migrations")}
    return [name for name in available() if name not in applied]


def migrate(connection: Connection) -> Sequence[str]:
    """Apply what is missing; return the names of what was applied.

    Two that run at once do no harm: the ledger's row is written first, and the second waits for it.

    Args:
        connection: In autocommit, as a role that may create schemas.
    """
    done: list[str] = []
    for name in pending(connection):
        with connection.transaction():
            inserted = connection.execute(
                "INSERT INTO public.terrane_migrations (name) VALUES (%s) ON CONFLICT DO NOTHING", [name]
            ).rowcount
            if inserted:
                connection.execute(_text(name))
                done.append(name)
                logger.info("migration applied", extra={"migration": name})
    return done


def forget(connection: Connection) -> None:
    """Let every migration be applied again, to a database whose schemas were dropped."""
    connection.execute(_LEDGER)
    connection.execute("DELETE FROM public.terrane_migrations")


def _text(name: str) -> LiteralString:
    return files("infrastructure.sql").joinpath("migrations", name).read_text(encoding="utf-8")
