"""Installs the functions by which the features API learns of published tables.

The library would make them in the temporary schema of each of its connections, where PgBouncer
loses them; here they are made once, at deployment, in a schema of their own.
"""

from importlib.resources import files
from typing import Final, LiteralString

from psycopg import sql

from infrastructure.database import Database

FEATURES_SCHEMA: Final = "tipg"

_TEMPORARY_SCHEMA = "pg_temp"


def install_features(database: Database, app_role: str) -> None:
    """Create or replace the functions; doing it again changes nothing.

    Args:
        database: The app database, seen by its owner.
        app_role: Who may call them.
    """
    schema, role = sql.Identifier(FEATURES_SCHEMA), sql.Identifier(app_role)
    with database.transaction() as connection:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
        connection.execute(_library_functions())
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
        connection.execute(sql.SQL("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {} TO {}").format(schema, role))


def _library_functions() -> LiteralString:
    # A file of a pinned package, as trusted as the code of it that is imported.
    text = (files("tipg") / "sql" / "dbcatalog.sql").read_text(encoding="utf-8")
    return text.replace(_TEMPORARY_SCHEMA, FEATURES_SCHEMA)
