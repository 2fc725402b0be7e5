"""Values that the data of a deployment are made of, and that documents and code share."""

from typing import ClassVar


class StorageDefaults:
    """Containers by zone: bronze holds sources and is never deleted from, silver what is published."""

    BRONZE_RASTERS = "bronze-rasters"
    BRONZE_VECTORS = "bronze-vectors"
    SILVER_COGS = "silver-cogs"
    SILVER_MOSAICJSON = "silver-mosaicjson"
    SILVER_VECTORS = "silver-vectors"
    TEMP = "rmhazuregeotemp"


class STACDefaults:
    """The catalogue's fixed collections."""

    #: Never deleted, also when empty.
    SYSTEM_COLLECTIONS: ClassVar[tuple[str, ...]] = ("system-rasters", "system-vectors", "system-h3-grids")


class SchemaDefaults:
    """Schemas of the database."""

    VECTORS = "geo"
    #: Where vector tables are loaded before they are published.
    STAGING = "vector_staging"
    #: Never published in, whatever the settings say.
    KEPT: ClassVar[frozenset[str]] = frozenset(
        {"app", "pgstac", "public", "information_schema", "tipg", STAGING}
    )


def is_kept_schema(name: str) -> bool:
    """Tell whether a schema is the engine's, the catalogue's or the server's own."""
    return name in SchemaDefaults.KEPT or name.startswith("pg_")
