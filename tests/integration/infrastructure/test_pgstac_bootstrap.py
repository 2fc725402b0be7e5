"""Installing and migrating pgSTAC on a real server."""

from infrastructure.database import Database
from infrastructure.pgstac_bootstrap import PGSTAC_VERSION, PgStacBootstrap


def test_the_template_has_the_pinned_version(database: Database) -> None:
    assert PgStacBootstrap(database, "terrane_app").version() == PGSTAC_VERSION
