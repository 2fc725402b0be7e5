"""Installs pgSTAC, brings it to the version that this release is made for, and says who may use it."""

import logging
import re
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from core import codes
from core.errors import TerraneError
from core.json import JsonObject
from infrastructure.database import Connection, Database
from infrastructure.sql import load

logger = logging.getLogger(__name__)

#: The version that the repository's statements were written and tested against.
PGSTAC_VERSION = "0.10.0"

_QUERIES = load("pgstac_bootstrap")
_MIGRATION_TIMEOUT = timedelta(minutes=30)
_FULL_INSTALL = ""


class PgStacBootstrap:
    """pgSTAC's schema, roles and system collections.

    Works as a privileged role: the owner of the database, with CREATEROLE. In Azure the extensions
    postgis, btree_gist and unaccent have to be allowed on the server first.

    Args:
        database: The app database, seen by that role.
        app_role: The role of the running app, which is granted what it needs and owns nothing.
    """

    def __init__(self, database: Database, app_role: str) -> None:
        self._database = database
        self._app_role = app_role

    def install(self, collections: Sequence[JsonObject] = ()) -> str:
        """Install or migrate pgSTAC, grant the app its rights, create `collections` if missing.

        All or nothing, in one transaction; doing it again changes nothing.

        Returns:
            The version that is installed now.

        Raises:
            TerraneError: There is no way from the installed version to the pinned one
                (``catalogue.version_mismatch``).
            TransientError: The database does not answer, or refuses this role.
        """
        with (
            self._database.translated("pgstac bootstrap"),
            closing(self._database.dedicated(statement_timeout=_MIGRATION_TIMEOUT)) as connection,
            connection.transaction(),
        ):
            self.install_within(connection, collections)
        return PGSTAC_VERSION

    def install_within(self, connection: Connection, collections: Sequence[JsonObject] = ()) -> None:
        """Do what `install` does in a transaction of the caller's."""
        connection.execute(_QUERIES["lock_bootstrap"])
        before = _installed_version(connection)
        connection.execute(_QUERIES["create_roles"])
        _migrate(connection, before)
        _create_functions(connection)
        self._grant(connection)
        for collection in collections:
            connection.execute(_QUERIES["ensure_collection"], {"collection": Jsonb(collection)})
        logger.info("pgstac installed", extra={"version": PGSTAC_VERSION, "previous_version": before})

    def version(self) -> str | None:
        """Return the version of pgSTAC in the database, or None if it is not installed."""
        with self._database.transaction(read_only=True) as connection:
            return _installed_version(connection) or None

    def check(self) -> None:
        """Make sure that the database has the pinned version and the app's role its rights.

        Raises:
            TerraneError: It has another version or none (``catalogue.version_mismatch``), or a
                privilege is missing (``catalogue.privilege_missing``).
        """
        version = self.version()
        if version != PGSTAC_VERSION:
            raise _version_mismatch(version or "")
        missing = self._database.fetch_all(_QUERIES["find_missing_privileges"], {"role": self._app_role})
        if missing:
            privileges = ", ".join(row["privilege"] for row in missing)
            raise TerraneError(codes.CATALOGUE_PRIVILEGE, f"role {self._app_role} lacks {privileges}")

    def _grant(self, connection: Connection) -> None:
        connection.execute(_QUERIES["restrict_functions"])
        connection.execute(_QUERIES["grant_functions"])
        role = sql.Identifier(self._app_role)
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("GRANT pgstac_ingest TO {}").format(role))
        connection.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(database, role))
        # The read APIs' pools may pass no start-up options, and pgSTAC finds PostGIS by this path.
        connection.execute(sql.SQL("ALTER ROLE {} SET search_path TO pgstac, public").format(role))


def migration_path(scripts: Iterable[str], installed: str) -> list[str]:
    """Return the shortest chain of pgSTAC's scripts from `installed` to the pinned version.

    Args:
        scripts: Names such as ``pgstac.0.10.0.sql`` (an installation) and
            ``pgstac.0.9.12-0.10.0.sql`` (a step).
        installed: The version in the database; empty if there is none.

    Raises:
        TerraneError: There is no such chain (``catalogue.version_mismatch``).
    """
    if installed == PGSTAC_VERSION:
        return []
    if installed == _FULL_INSTALL:
        return [f"pgstac.{PGSTAC_VERSION}.sql"]
    steps = _steps(scripts)
    waiting = deque([(installed, list[str]())])
    seen = {installed}
    while waiting:
        version, path = waiting.popleft()
        if version == PGSTAC_VERSION:
            return path
        for following in steps.get(version, set()) - seen:
            seen.add(following)
            waiting.append((following, [*path, f"pgstac.{version}-{following}.sql"]))
    raise _version_mismatch(installed)


def _steps(scripts: Iterable[str]) -> dict[str, set[str]]:
    steps: dict[str, set[str]] = {}
    for name in scripts:
        start, dash, end = name.removeprefix("pgstac.").removesuffix(".sql").partition("-")
        if dash:
            steps.setdefault(start, set()).add(end)
    return steps


def _migrate(connection: Connection, before: str) -> None:
    scripts = _scripts()
    path = migration_path((script.name for script in scripts.iterdir()), before)
    for name in path:
        connection.execute(_script_text(scripts / name))
    connection.execute(_QUERIES["act_as_self"])
    after = _installed_version(connection)
    if after != PGSTAC_VERSION:
        raise _version_mismatch(after)
    if path:
        connection.execute(_QUERIES["discard_queued_statistics"])


def _create_functions(connection: Connection) -> None:
    connection.execute(_QUERIES["act_as_owner"])
    connection.execute(_QUERIES["create_ensure_partition"])
    connection.execute(_QUERIES["create_ensure_collection"])
    connection.execute(_QUERIES["replace_content_hydrate"])
    connection.execute(_QUERIES["replace_bbox_geom"])
    connection.execute(_QUERIES["act_as_self"])


def _installed_version(connection: Connection) -> str:
    row = connection.execute(_QUERIES["find_schema"]).fetchone()
    if row is None or not row["installed"]:
        return _FULL_INSTALL
    row = connection.execute(_QUERIES["get_version"]).fetchone()
    return row["version"] if row else _FULL_INSTALL


def _scripts() -> Traversable:
    # The package's own migrate module would replace psycopg's JSON encoder for the whole process.
    return files("pypgstac") / "migrations"


def _script_text(script: Traversable) -> LiteralString:
    text = script.read_text(encoding="utf-8")
    # Some scripts bring a BEGIN and a COMMIT, which would end our transaction half way.
    text, begins = re.subn(r"\A\s*BEGIN\s*;", "", text, flags=re.IGNORECASE)
    if begins:
        text = re.sub(r"COMMIT\s*;\s*\Z", "", text, flags=re.IGNORECASE)
    # The scripts are files of a pinned package, as trusted as the code of it that is imported.
    return text


def _version_mismatch(version: str) -> TerraneError:
    found = f"version {version}" if version else "no pgSTAC"
    return TerraneError(
        codes.CATALOGUE_VERSION, f"the database has {found}, this release needs version {PGSTAC_VERSION}"
    )
