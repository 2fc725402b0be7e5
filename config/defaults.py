"""Values that the data of a deployment are made of, and that documents and code share."""

from typing import ClassVar


class StorageDefaults:
    """Containers by zone: bronze holds sources and is never deleted from, silver what is published."""

    BRONZE_RASTERS = "bronze-rasters"
    BRONZE_VECTORS = "bronze-vectors"
    SILVER_COGS = "silver-cogs"
    SILVER_MOSAICJSON = "silver-mosaicjson"
    TEMP = "rmhazuregeotemp"


class STACDefaults:
    """The catalogue's fixed collections."""

    #: Never deleted, also when empty.
    SYSTEM_COLLECTIONS: ClassVar[tuple[str, ...]] = ("system-rasters", "system-vectors", "system-h3-grids")
