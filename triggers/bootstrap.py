"""The composition root: settings become adapters, adapters become the app. Nothing else does this."""

import importlib
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from types import FrameType
from typing import Any, Self, TypeVar, overload

import azure.functions as func

from config.defaults import STACDefaults, StorageDefaults
from config.settings import Settings
from core.admission import Admission
from core.bells import Bells
from core.cancellation import Cancellation
from core.cleanup import CleanUp, resolved
from core.context import Surroundings
from core.executor import Executor
from core.handler import Zones
from core.heart import Heart, HeartThread
from core.janitor import Janitor, JanitorLimits
from core.job_health import JobHealth
from core.machine import CoreMachine, MachineLimits
from core.orphans import OrphanDetector
from core.pause import Pause
from core.planning import PlanLimits, Planner
from core.ports.catalogue import CatalogueWriter
from core.ports.engine import Effects, JobRepository, TaskRepository
from core.ports.isolation import IsolationKind
from core.ports.janitor import Mending, ScratchTables, SweepRuns
from core.ports.unpublishing import Unpublishing
from core.ports.vectors import VectorStore
from core.prune import Prune
from core.publishing import asides
from core.registry import Registry
from core.submission import SubmissionService
from core.suspects import Suspects
from core.sweeps import Sweep
from core.trash import Trash
from core.watchdog import TaskWatchdog
from infrastructure.bell_receiver import BellReceiver
from infrastructure.blob_store import AzureBlobStore
from infrastructure.clock import SystemChance, SystemClock
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
from infrastructure.validators import Resources, resource_validators
from infrastructure.vector_store import PostgisVectorStore
from jobs import ALL_JOBS
from services import ALL_HANDLERS
from services.stac.collections import system_collections
from triggers.apis.serving import AsgiApp, LazyApp, Mount

VERSION = "0.1.0"

# The platform kills a process some ten seconds after it asked it to end.
_DRAIN_SECONDS = 8.0

T = TypeVar("T")

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


_lock = threading.RLock()


class part(cached_property[T]):  # noqa: N801 - used like the decorator that it extends
    """A part of the app, made once, when the first thread asks for it."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> Self | T:
        """Return the part; `cached_property` alone lets two threads make two."""
        with _lock:
            return super().__get__(instance, owner)


@dataclass(frozen=True)
class App:
    """Everything an entry point needs, each part made when it is first asked for.

    Args:
        settings: The deployment's settings.
    """

    settings: Settings

    @property
    def version(self) -> str:
        """Return this release's version."""
        return VERSION

    @part
    def registry(self) -> Registry:
        """Return job types and handlers."""
        return Registry(ALL_JOBS, ALL_HANDLERS)

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
    def bells(self) -> Bells:
        """Return the bells."""
        return Bells(self.queue, self.jobs, self.tasks, self.settings.engine.bells)

    @part
    def submission(self) -> SubmissionService:
        """Return the one way in."""
        resources = Resources(
            blobs=self.blobs,
            catalogue=self.catalogue,
            tables=self.vector_tables,
            effects=self.effects,
            unpublishing=self.unpublishing,
            limits={
                "RASTER_MAX_FILE_SIZE_MB": self.settings.raster.max_file_size_mb,
                "VECTOR_MAX_FILE_SIZE_MB": self.settings.vector.max_file_size_mb,
            },
            schemas=self.settings.vector.schemas,
        )
        validators = resource_validators(resources)
        admission = Admission(self.jobs, SystemClock(), self.settings.api.max_active_jobs)
        return SubmissionService(self.registry, self.jobs, self.blobs, validators, self.bells, admission)

    @part
    def cancellation(self) -> Cancellation:
        """Return what cancels jobs."""
        return Cancellation(self.jobs, self.bells)

    @part
    def pause(self) -> Pause:
        """Return the pause."""
        return Pause(self.tasks, self.bells)

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
    def janitor(self) -> Janitor:
        """Return what runs the sweeps."""
        return self._janitor(self._sweeps)

    def pruner(self, retention: timedelta) -> Janitor:
        """Return a janitor that only prunes, and keeps what is younger than `retention`."""
        rules = Prune(self.mending, self.sweep_runs, retention).rules
        return self._janitor([Sweep("prune", self.settings.janitor.periods["prune"], rules)])

    def _janitor(self, sweeps: Sequence[Sweep]) -> Janitor:
        settings = self.settings.janitor
        limits = JanitorLimits(
            budget=timedelta(seconds=settings.budget_seconds),
            lease=timedelta(seconds=settings.lease_seconds),
            patience=timedelta(seconds=settings.patience_seconds),
        )
        return Janitor(sweeps, self.sweep_runs, SystemClock(), SystemChance(), limits)

    @part
    def _sweeps(self) -> Sequence[Sweep]:
        settings = self.settings.janitor
        minimum_age = timedelta(seconds=settings.minimum_age_seconds)
        suspects = Suspects(self.mending, self.bells, SystemChance(), minimum_age)
        templates = [template for job in self.registry.jobs.values() for template in job.intermediate_blobs]
        orphans = OrphanDetector(
            suspects=suspects,
            mending=self.mending,
            bells=self.bells,
            blobs=self.blobs,
            templates=[*resolved(templates, self._containers), asides(self.settings.storage.temp)],
            grace=timedelta(hours=settings.intermediates_grace_hours),
            tables=self.scratch_tables,
        )
        prune = Prune(self.mending, self.sweep_runs, timedelta(days=self.settings.engine.retention_days))
        rules = {
            "task_watchdog": TaskWatchdog(self.tasks, self.queue, self.bells).rules,
            "job_health": JobHealth(suspects, self.jobs).rules,
            "orphan_detector": orphans.rules,
            "prune": [*prune.rules, *Trash(self.unpublishing, self.blobs).rules],
        }
        return [Sweep(name, settings.periods[name], rules[name]) for name in rules]

    @part
    def _containers(self) -> Mapping[str, str]:
        storage = self.settings.storage
        return {
            StorageDefaults.SILVER_COGS: storage.silver_cogs,
            StorageDefaults.SILVER_MOSAICJSON: storage.silver_mosaicjson,
            StorageDefaults.TEMP: storage.temp,
        }

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
    def heart(self) -> Heart:
        """Return the heart, beating in a thread of its own from now on."""
        heart = Heart(self.tasks, self.settings.engine.lease)
        interval = timedelta(seconds=self.settings.engine.heartbeat_seconds)
        HeartThread(heart, interval, SystemClock()).start()
        return heart

    @part
    def machine(self) -> CoreMachine:
        """Return what answers bells."""
        engine = self.settings.engine
        return CoreMachine(
            worker=self.worker,
            tasks=self.tasks,
            executor=self._executor,
            heart=self.heart,
            bells=self.bells,
            clock=SystemClock(),
            chance=SystemChance(),
            limits=MachineLimits(
                lease=engine.lease,
                claim_batch=engine.claim_batch,
                invocation=timedelta(seconds=engine.invocation_seconds),
                patience=timedelta(seconds=engine.database_patience_seconds),
            ),
        )

    @part
    def apis(self) -> Mapping[str, func.AsgiMiddleware]:
        """Return the reading APIs by prefix; each is imported and built at its first request."""
        catalogue = self.settings.catalogue
        return {
            name: func.AsgiMiddleware(
                Mount(name, LazyApp(name, partial(self._make_api, name)), catalogue.public_url)
            )
            for name in catalogue.apis
        }

    def _make_api(self, name: str) -> AsgiApp:
        assembly = importlib.import_module("triggers.apis.assembly")
        made: AsgiApp = assembly.make_api(name, self)
        return made

    @contextmanager
    def catalogue_changes(self) -> Iterator[CatalogueWriter]:
        """Open a transaction of the catalogue alone."""
        with self.database.transaction() as connection:
            yield self.catalogue.within(connection)

    @part
    def worker(self) -> str:
        """Return the name of this process, for people."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @part
    def _executor(self) -> Executor:
        engine = self.settings.engine
        limits = PlanLimits(
            one_slot_up_to=engine.one_slot_up_to,
            slots=engine.slots,
            pace={
                "light": timedelta(milliseconds=engine.light_pace_ms),
                "heavy": timedelta(milliseconds=engine.heavy_pace_ms),
            },
        )
        return Executor(
            registry=self.registry,
            planner=Planner(self.registry, self.jobs, self.tasks, limits),
            clean_up=CleanUp(self.registry, self.jobs, self.blobs, self.effects, self._containers),
            around=self._surroundings,
            chance=SystemChance(),
        )

    @part
    def _surroundings(self) -> Surroundings:
        engine = self.settings.engine
        return Surroundings(
            tasks=self.tasks,
            blobs=self.blobs,
            catalogue=self.catalogue,
            tables=self.vector_tables,
            effects=self.effects,
            unpublishing=self.unpublishing,
            zones=self._zones,
            isolation=self.isolation,
            clock=SystemClock(),
            workspaces=Path(engine.workspace or tempfile.gettempdir()) / "terrane",
            temp_container=self.settings.storage.temp,
            child_memory_mib=engine.child_memory_mib,
            child_deadline=timedelta(seconds=engine.child_deadline_seconds),
        )

    @property
    def _zones(self) -> Zones:
        storage = self.settings.storage
        return Zones(
            silver=frozenset({storage.silver_cogs, storage.silver_mosaicjson, storage.silver_vectors}),
            schemas=frozenset(self.settings.vector.schemas),
            system_collections=frozenset(STACDefaults.SYSTEM_COLLECTIONS),
        )

    def drain(self) -> None:
        """Claim no more, kill what runs in children, and give every lease back."""
        if "machine" not in self.__dict__:
            return
        self.machine.drain()
        clock = SystemClock()
        give_up = clock.monotonic() + _DRAIN_SECONDS
        while self.heart.is_holding and clock.monotonic() < give_up:
            clock.sleep(timedelta(milliseconds=50))


_app: App | None = None


def app() -> App:
    """Return this process's app, made from the environment at the first call."""
    global _app  # noqa: PLW0603 - one app a process is what the host's model asks for
    with _lock:
        if _app is None:
            _app = App(Settings())
        return _app


def drain_on_sigterm() -> None:
    """Let SIGTERM drain this process before it ends.

    Call in the main thread, at import: the platform gives a process seconds from the signal on. A
    host that takes the signal over later calls this handler and ends the process itself.
    """
    before = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        if callable(before):
            before(number, frame)
        threading.Thread(target=_drain_and_end, args=(handle, before), name="drain", daemon=True).start()

    signal.signal(signal.SIGTERM, handle)


def _drain_and_end(handle: object, before: object) -> None:
    if _app is not None:
        _app.drain()
    if before is signal.SIG_DFL and signal.getsignal(signal.SIGTERM) is handle:
        os._exit(128 + signal.SIGTERM)
