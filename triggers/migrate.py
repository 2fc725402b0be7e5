"""``python -m triggers.migrate``: bring a database to this release, as its owner.

Run at deployment and by the local system, never by a request. The environment's ``POSTGIS_USER``
must be the role that owns the schemas.
"""

import logging
import sys

from config.defaults import STACDefaults
from config.settings import DatabaseSettings
from infrastructure.countries import install_countries
from infrastructure.credentials import database_password
from infrastructure.database import Database
from infrastructure.features_bootstrap import install_features
from infrastructure.migrations import migrate
from infrastructure.pgstac_bootstrap import PgStacBootstrap
from services.stac.collections import system_collections

APP_ROLE = "terrane_app"


def main() -> int:
    """Apply what is missing; return an exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = DatabaseSettings()
    database = Database(settings, database_password(settings), "terrane migrate")
    with database.connection() as connection:
        applied = migrate(connection)
        install_countries(connection)
    version = PgStacBootstrap(database, APP_ROLE).install(system_collections(STACDefaults.SYSTEM_COLLECTIONS))
    install_features(database, APP_ROLE)
    database.close()
    sys.stdout.write(f"{len(applied)} migrations applied; pgSTAC {version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
