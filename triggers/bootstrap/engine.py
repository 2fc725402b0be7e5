"""Adapters become the engine."""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from config.defaults import STACDefaults
from core.admission import Admission
from core.bells import Bells
from core.cancellation import Cancellation
from core.cleanup import CleanUp
from core.context import Surroundings
from core.executor import Executor
from core.handler import Zones
from core.heart import Heart, HeartThread
from core.machine import CoreMachine, MachineLimits
from core.pause import Pause
from core.planning import PlanLimits, Planner
from core.registry import Registry
from core.submission import SubmissionService
from infrastructure.clock import SystemChance, SystemClock
from infrastructure.validators import Resources, resource_validators
from jobs import ALL_JOBS
from services import ALL_HANDLERS
from triggers.bootstrap.adapters import Adapters
from triggers.bootstrap.parts import part

# The platform kills a process some ten seconds after it asked it to end.
_DRAIN_SECONDS = 8.0


@dataclass(frozen=True)
class Engine(Adapters):
    """What takes jobs in, runs their tasks and stops them."""

    @part
    def registry(self) -> Registry:
        """Return job types and handlers."""
        return Registry(ALL_JOBS, ALL_HANDLERS)

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
