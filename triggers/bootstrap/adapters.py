"""Settings become adapters."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from config.defaults import STACDefaults, StorageDefaults
from config.settings import Settings
from core.ports.effects import Effects
from core.ports.engine import JobRepository, TaskRepository
from core.ports.isolation import IsolationKind
from core.ports.janitor import Mending, ScratchTables, SweepRuns
from core.ports.unpublishing import Unpublishing
from core.ports.vectors import VectorStore
from infrastructure.bell_receiver import BellReceiver
from infrastructure.blob_store import AzureBlobStore
from infrastructure.countries import CountryFinder
from infrastructure.credentials import azure_credential, database_password
from infrastructure.database import Database
from infrastructure.diagnostics import PostgresDiagnostics
from infrastructure.effects import PostgresEffects
from infrastructure.isolation.runner import ForkServerRunner
from infrastructure.job_repository import PostgresJobRepository
from infrastructure.maintenance import Maintenance
from infrastructure.mending import PostgresMending
from infrastructure.message_queue import ServiceBusQueue
from infrastructure.pgstac_bootstrap import PgStacBootstrap
from infrastructure.pgstac_repository import PgStacRepository
from infrastructure.scratch_tables import PostgresScratchTables
from infrastructure.sweep_runs import PostgresSweepRuns
from infrastructure.tables import PostgresTables
from infrastructure.task_repository import PostgresTaskRepository
from infrastructure.unpublished_repository import PostgresUnpublishing
from infrastructure.vector_store import PostgisVectorStore
from services.stac.collections import system_collections
from triggers.bootstrap.parts import part

#: What each kind of child has imported before its first call.
NATIVE_MODULES: dict[IsolationKind, tuple[str, ...]] = {
    "raster": (
        "services.raster.native.inspection",
        "services.raster.native.cog",
        "services.raster.native.description",
        "services.raster.native.thumbnail",
    ),
    "vector": ("services.vector.native.preparation", "services.vector.native.thumbnail"),
}


@dataclass(frozen=True)
class Adapters:
    """What reaches beyond the process: database, store, bus, catalogue and children.

    Args:
        settings: The deployment's settings.
    """

    settings: Settings

    @part
    def database(self) -> Database:
        """Return the app database."""
        return Database(
            self.settings.database, database_password(self.settings.database), f"terrane {self.worker}"
        )

    @part
    def jobs(self) -> JobRepository:
        """Return the jobs."""
        return PostgresJobRepository(self.database)

    @part
    def tasks(self) -> TaskRepository:
        """Return the tasks."""
        return PostgresTaskRepository(self.database, self.settings.engine.max_rescues)

    @part
    def tables(self) -> PostgresTables:
        """Return what operators may look at of the database's tables."""
        return PostgresTables(self.database)

    @part
    def diagnostics(self) -> PostgresDiagnostics:
        """Return what the database tells of itself."""
        return PostgresDiagnostics(self.database)

    @part
    def maintenance(self) -> Maintenance | None:
        """Return what rebuilds the database, if this app may."""
        settings = self.settings.maintenance
        if not settings.user:
            return None
        owner = self.settings.database.model_copy(
            update={"user": settings.user, "password": settings.password}
        )
        database = Database(owner, database_password(owner), f"terrane maintenance {self.worker}")
        return Maintenance(
            database=database,
            bootstrap=PgStacBootstrap(database, self.settings.database.user),
            app_role=self.settings.database.user,
            blobs=self.blobs,
            container=self.settings.storage.temp,
            collections=system_collections(STACDefaults.SYSTEM_COLLECTIONS),
        )

    @part
    def catalogue(self) -> PgStacRepository:
        """Return the catalogue."""
        table = self.settings.catalogue.country_table
        return PgStacRepository(self.database, countries=CountryFinder(table) if table else None)

    @part
    def vector_tables(self) -> VectorStore:
        """Return the vector tables."""
        return PostgisVectorStore(self.database)

    @part
    def effects(self) -> Effects:
        """Return the changes under the fence."""
        return PostgresEffects(self.database, self.catalogue)

    @part
    def blobs(self) -> AzureBlobStore:
        """Return the blob store."""
        return AzureBlobStore(self.settings.storage, azure_credential())

    @part
    def queue(self) -> ServiceBusQueue:
        """Return the bus."""
        bus = self.settings.bus
        return ServiceBusQueue(bus, azure_credential(), {"light": bus.light_queue, "heavy": bus.heavy_queue})

    def bell_receiver(self, lane: str) -> BellReceiver:
        """Return what receives a lane's bells where no Functions host does."""
        bus = self.settings.bus
        queue = bus.light_queue if lane == "light" else bus.heavy_queue
        return BellReceiver(bus, azure_credential(), queue)

    @part
    def unpublishing(self) -> Unpublishing:
        """Return the audit of what was taken back."""
        return PostgresUnpublishing(self.database)

    @part
    def sweep_runs(self) -> SweepRuns:
        """Return the janitor's records."""
        return PostgresSweepRuns(self.database)

    @part
    def mending(self) -> Mending:
        """Return what the janitor's rules ask and do."""
        return PostgresMending(self.database)

    @part
    def scratch_tables(self) -> ScratchTables | None:
        """Return the tables that loads fill aside."""
        return PostgresScratchTables(self.database)

    @part
    def isolation(self) -> ForkServerRunner:
        """Return the children."""
        raster = self.settings.raster
        variables = {
            "GDAL_CACHEMAX": str(raster.gdal_cache_mib),
            "GDAL_NUM_THREADS": str(raster.gdal_threads),
        }
        return ForkServerRunner(preload=NATIVE_MODULES, variables={"raster": variables})

    @part
    def worker(self) -> str:
        """Return the name of this process, for people."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @part
    def _containers(self) -> Mapping[str, str]:
        storage = self.settings.storage
        return {
            StorageDefaults.SILVER_COGS: storage.silver_cogs,
            StorageDefaults.SILVER_MOSAICJSON: storage.silver_mosaicjson,
            StorageDefaults.TEMP: storage.temp,
        }
