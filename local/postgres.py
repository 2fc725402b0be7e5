"""PostgreSQL with PostGIS in the home: made, tuned for a laptop, and given its roles and databases."""

import logging
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from local import accounts
from local.accounts import Launch
from local.binaries import Missing, Postgres, find_postgres
from local.home import Home
from local.ports import LOOPBACK

logger = logging.getLogger(__name__)

SUPERUSER = "postgres"
OWNER = "terrane_owner"
APP = "terrane_app"
APP_DATABASE = "terrane"
BUSINESS_DATABASE = "terrane_business"

# Durable as in production: a killed server loses nothing that it answered for.
_TUNING = {
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "track_io_timing": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "password_encryption": "scram-sha-256",
}


@dataclass(frozen=True)
class PostgresServer:
    """The database server of one home.

    Args:
        home: Where its data lie and its passwords are remembered.
        port: Port on the loopback interface; there is no socket file.
    """

    home: Home
    port: int

    @property
    def data(self) -> Path:
        """Return the data directory."""
        return self.home.root / "postgres" / "data"

    def url(self, user: str, database: str) -> str:
        """Return the address of a database with a role's password in it."""
        return f"postgresql://{user}:{quote(self.home.secret(user))}@{LOOPBACK}:{self.port}/{database}"

    def launch(self) -> Launch:
        """Return the command of the server, for an account that is not root."""
        settings = {**_TUNING, "port": str(self.port), "listen_addresses": LOOPBACK}
        # A path of a socket is limited to some hundred bytes, which a home may exceed.
        settings["unix_socket_directories"] = ""
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._binaries().bindir / "postgres"), "-D", str(self.data), *options]
        return accounts.unprivileged(command, reads=[self.data])

    def prepare(self) -> None:
        """Make the data directory if there is none, and free it from a server that crashed."""
        if self.data.exists():
            accounts.hand_over(self.data)
            self._clear_stale_lock()
            return
        partial = self.data.with_name("initdb")
        shutil.rmtree(partial, ignore_errors=True)
        accounts.hand_over(self.data.parent)
        self._initdb(partial)
        # Only a directory that initdb has finished gets the name that is believed.
        partial.rename(self.data)

    def is_ready(self) -> bool:
        """Say whether the server answers a query."""
        try:
            with psycopg.connect(self.url(SUPERUSER, "postgres"), connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def provision(self) -> None:
        """Create the roles, both databases and PostGIS in them; what is there is left as it is."""
        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            self._create_role(connection, OWNER, "CREATEROLE")
            self._create_role(connection, APP, "NOCREATEROLE")
            connection.execute(f"GRANT pg_monitor, pg_signal_backend TO {OWNER}")
            connection.execute(f"GRANT pg_monitor TO {APP}")
            # Since 16 CREATEROLE alone may not alter a role that somebody else created.
            connection.execute(f"GRANT {APP} TO {OWNER} WITH ADMIN OPTION")
            for database in (APP_DATABASE, BUSINESS_DATABASE):
                self._create_database(connection, database)
        for database in (APP_DATABASE, BUSINESS_DATABASE):
            with psycopg.connect(self.url(SUPERUSER, database), autocommit=True) as connection:
                for extension in ("postgis", "btree_gist", "unaccent"):
                    connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")

    def _binaries(self) -> Postgres:
        version = self.data / "PG_VERSION"
        major = int(version.read_text()) if version.exists() else None
        server = find_postgres(major)
        if server is None:
            wanted = f"PostgreSQL {major}, which made {self.data}," if major else "PostgreSQL 15 or later"
            raise Missing(f"{wanted} with PostGIS is not installed: type `make install`")
        return server

    def _initdb(self, target: Path) -> None:
        password_file = target.with_name("password")
        password_file.write_text(self.home.secret(SUPERUSER))
        password_file.chmod(0o600)
        accounts.give(password_file)
        command = [
            str(self._binaries().bindir / "initdb"),
            f"--pgdata={target}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # macOS has no C.UTF-8.
            f"--locale={'C.UTF-8' if sys.platform == 'linux' else 'C'}",
        ]
        launch = accounts.unprivileged(command, reads=[password_file.parent])
        try:
            process = launch.start(os.environ, Path("/"), self.home.log("postgres"))
            if process.wait():
                raise subprocess.CalledProcessError(process.returncode, command)
        finally:
            password_file.unlink()

    def _clear_stale_lock(self) -> None:
        """Stop a server of this directory that nobody has a record of, and remove a dead one's lock.

        PostgreSQL takes over a lock by itself, but not if an unrelated process has the pid now.
        """
        lock = self.data / "postmaster.pid"
        if not lock.exists():
            return
        first_line = lock.read_text().partition("\n")[0]
        try:
            process = psutil.Process(int(first_line))
            if process.name().startswith("postgres") and process.cwd() == str(self.data):
                logger.warning("unrecorded server stopped", extra={"pid": process.pid})
                process.send_signal(signal.SIGINT)
                process.wait(timeout=60)
        except (psutil.NoSuchProcess, ValueError):
            pass
        lock.unlink(missing_ok=True)

    def _create_role(self, connection: psycopg.Connection, name: str, attributes: str) -> None:
        exists = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone()
        verb = "ALTER" if exists is not None else "CREATE"
        statement = sql.SQL("{verb} ROLE {name} LOGIN {attributes} PASSWORD {password}")
        connection.execute(
            statement.format(
                verb=sql.SQL(verb),
                name=sql.Identifier(name),
                attributes=sql.SQL(attributes),
                password=sql.Literal(self.home.secret(name)),
            )
        )

    def _create_database(self, connection: psycopg.Connection, name: str) -> None:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None:
            return
        statement = sql.SQL("CREATE DATABASE {name} OWNER {owner}")
        connection.execute(statement.format(name=sql.Identifier(name), owner=sql.Identifier(OWNER)))
