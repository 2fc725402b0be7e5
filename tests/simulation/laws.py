"""What must hold when a run is over."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from core.models.records import EventRecord
from core.ports.blobs import BlobProperties
from core.states import (
    ENDED_JOB,
    ENDED_STAGE,
    ENDED_TASK,
    JOB_TRANSITIONS,
    STAGE_TRANSITIONS,
    JobStatus,
    StageStatus,
    TaskStatus,
)
from infrastructure.memory.rows import JobRow, StageRow, TaskRow
from tests.simulation.shapes import PUBLISHED, TEMP

if TYPE_CHECKING:
    from tests.simulation.world import World

# What a run without a janitor cannot keep.
_OF_THE_JANITOR = frozenset({"cleanup.failed", "sweep.overdue"})
_PUT_BACK = frozenset({"retry", "snooze", "release", "rescue"})


def every_job_ends(world: "World") -> Iterator[str]:
    """Every job is terminal and cleaned up after."""
    yield from world.open_jobs()


def counters_agree_with_rows(world: "World") -> Iterator[str]:
    """The ledger of every stage is what its rows say."""
    for (job_id, revision), stages in world.state.stages.items():
        tasks = defaultdict(list)
        for task in world.state.tasks_of(job_id, revision):
            if task.kind == "work":
                tasks[task.stage].append(task)
        for stage in stages:
            yield from _ledger_faults(f"{job_id[:8]} {revision}", stage, tasks[stage.number])


def _ledger_faults(job: str, stage: StageRow, tasks: list[TaskRow]) -> Iterator[str]:
    if stage.total != len(tasks):
        yield f"{job}: stage {stage.number} planned {stage.total} tasks and has {len(tasks)}"
    for number, slot in enumerate(stage.slots):
        rows = [task.status for task in tasks if task.slot == number]
        counted = (slot.open, slot.completed, slot.failed, slot.cancelled)
        there = (
            sum(status not in ENDED_TASK for status in rows),
            rows.count(TaskStatus.COMPLETED),
            rows.count(TaskStatus.FAILED),
            rows.count(TaskStatus.CANCELLED),
        )
        if counted != there:
            yield f"{job}: stage {stage.number}, slot {number} counts {counted}; its rows are {there}"
    if stage.open_slots != sum(slot.open > 0 for slot in stage.slots):
        yield f"{job}: stage {stage.number} counts {stage.open_slots} open slots: {stage.slots}"


def nothing_planned_is_lost(world: "World") -> Iterator[str]:
    """In every stage of an ended revision, planned = completed + failed + cancelled."""
    for (job_id, revision), stages in world.state.stages.items():
        for stage in stages:
            ended = sum(slot.completed + slot.failed + slot.cancelled for slot in stage.slots)
            if stage.total != ended:
                yield f"{job_id[:8]} {revision}: stage {stage.number} planned {stage.total}, ended {ended}"


def effects_apply_once(world: "World") -> Iterator[str]:
    """A task that ends itself by its effect has it once if it completed, and never if not."""
    for task in world.state.tasks.values():
        if task.kind != "work":
            continue
        mood = world.moods.of(task.task_id)
        fences = world.effects.get(task.task_id, [])
        if mood == world.moods.effect_that_ends:
            wanted = int(task.status is TaskStatus.COMPLETED)
            if task.task_type != "publish" and len(fences) != wanted:
                yield f"{task.task_id} is {task.status} and has its effect {len(fences)} times"
        elif fences != sorted(set(fences)):
            yield f"{task.task_id} was written under the fences {fences}"
        if mood == world.moods.effect and task.status is TaskStatus.COMPLETED and not fences:
            yield f"{task.task_id} is completed without its effect"


def history_replays(world: "World") -> Iterator[str]:
    """The events alone tell the state of jobs, stages and ended tasks, by legal steps only."""
    events = sorted(world.state.events, key=lambda event: (event.job_id, event.event_id))
    for job_id, history in groupby(events, key=lambda event: event.job_id):
        yield from _Replay(world, world.state.jobs[job_id]).faults(list(history))


class _Replay:
    """The history of one job, told again."""

    def __init__(self, world: "World", job: JobRow) -> None:
        self._world = world
        self._job = job
        self._status: JobStatus | None = None
        self._revision = 0
        self._stopping = False
        self._stages: dict[tuple[int, int], StageStatus] = {}
        self._tasks: dict[str, list[EventRecord]] = defaultdict(list)

    def faults(self, events: list[EventRecord]) -> Iterator[str]:
        """Yield everything that is not as it was told."""
        for event in events:
            step = {"job": self._job_event, "stage": self._stage_event, "task": self._task_event}
            for fault in step[event.subject](event):
                yield f"{self._job.job_id[:8]} {event.revision}: event {event.event_id}: {fault}"
        if (self._status, self._revision) != (self._job.status, self._job.revision):
            yield f"{self._job.job_id[:8]} is {self._job.status}; its history says {self._status}"
        yield from self._stage_faults()
        yield from self._task_faults()

    def _job_event(self, event: EventRecord) -> Iterator[str]:
        if event.event == "stopping":
            if self._stopping or self._status in ENDED_JOB:
                yield "stops twice, or after its end"
            self._stopping = True
            return
        status = JobStatus(event.event)
        if self._status is None or status is JobStatus.QUEUED:
            if self._status is not None and self._status not in ENDED_JOB:
                yield f"begins again while {self._status}"
            if event.revision != self._revision + 1:
                yield f"revision {event.revision} after {self._revision}"
            yield from self._unclean(event)
            self._revision, self._stopping = event.revision, False
            self._stages[event.revision, 1] = StageStatus.PENDING
        elif status not in JOB_TRANSITIONS[self._status]:
            yield f"job from {self._status} to {status}"
        self._status = status
        if status in ENDED_JOB:
            self._close_stages()

    def _unclean(self, event: EventRecord) -> Iterator[str]:
        """Yield the clean-ups of the revision before that were not over when this one began."""
        for task in self._world.state.tasks_of(self._job.job_id, event.revision - 1):
            if task.kind == "cleanup" and task.created_at < event.at:
                told = self._tasks[task.task_id]
                if not told or told[-1].event in _PUT_BACK:
                    yield f"revision {event.revision} begins before the last one is cleaned up after"

    def _close_stages(self) -> None:
        for stage in self._world.state.stages[self._job.job_id, self._revision]:
            status = self._stages.get((self._revision, stage.number), StageStatus.PENDING)
            if status not in ENDED_STAGE:
                self._stages[self._revision, stage.number] = StageStatus.CANCELLED

    def _stage_event(self, event: EventRecord) -> Iterator[str]:
        assert event.stage is not None
        key = (event.revision, event.stage)
        before, status = self._stages.get(key, StageStatus.PENDING), StageStatus(event.event)
        if status not in STAGE_TRANSITIONS[before]:
            yield f"stage {event.stage} from {before} to {status}"
        if self._stopping and status in (StageStatus.PLANNING, StageStatus.PROCESSING):
            yield f"stage {event.stage} is {status} though the job is stopping"
        if event.revision != self._revision or self._status in ENDED_JOB:
            yield f"stage {event.stage} is {status} after its job"
        self._stages[key] = status

    def _task_event(self, event: EventRecord) -> Iterator[str]:
        assert event.task_id is not None
        history = self._tasks[event.task_id]
        if history and history[-1].event not in _PUT_BACK:
            yield f"task {event.task_id} is {event.event} after {history[-1].event}"
        history.append(event)
        if self._world.state.tasks[event.task_id].kind == "cleanup":
            return
        if self._stopping and event.event in _PUT_BACK:
            yield f"task {event.task_id} is put back ({event.event}) though its job is stopping"
        if event.revision != self._revision or self._status in ENDED_JOB:
            yield f"task {event.task_id} is {event.event} after its job"

    def _stage_faults(self) -> Iterator[str]:
        for (job_id, revision), stages in self._world.state.stages.items():
            for stage in stages if job_id == self._job.job_id else ():
                told = self._stages.get((revision, stage.number))
                if told is not stage.status:
                    yield f"{job_id[:8]} {revision}: stage {stage.number} is {stage.status}, not {told}"

    def _task_faults(self) -> Iterator[str]:
        for revision in range(1, self._revision + 1):
            for task in self._world.state.tasks_of(self._job.job_id, revision):
                events = self._tasks[task.task_id]
                told = events[-1].event if events and events[-1].event not in _PUT_BACK else "cancelled"
                if told != task.status:
                    yield f"task {task.task_id} is {task.status}; its history says {told}"
                silent = int(not events or events[-1].event in _PUT_BACK)
                claims = sum(event.worker is not None for event in events)
                if task.fence != claims + len(events) + silent:
                    yield f"task {task.task_id} has fence {task.fence} after {claims} claims"


def nothing_is_overdue(world: "World") -> Iterator[str]:
    """`app.violations` is empty."""
    for violation in world.watched_jobs.store.violations(100):
        if world.setup.has_watchdog or violation.code not in _OF_THE_JANITOR:
            yield f"{violation}"


def everything_written_is_owned(world: "World") -> Iterator[str]:
    """What is published has a live owner and the other way round; nothing else is left."""
    yield from _two_owners(world)
    live = {
        row.location: row.etag for row in world.state.artifacts if (row.state, row.kind) == ("live", "blob")
    }
    for row in world.state.artifacts:
        if row.state in ("reserved", "writing") and not _awaits_janitor(world, row.job_id):
            yield f"{row.location} is {row.state} by {row.job_id[:8]}, whose job has ended"
    blobs = {str(blob.ref): blob for blob in world.blobs.list_blobs(PUBLISHED)}
    for location in sorted(live.keys() | blobs.keys()):
        blob = blobs.get(location)
        if live.get(location) != (blob and blob.etag) and not (blob and _is_left_to_janitor(world, blob)):
            yield f"{location}: owned as {live.get(location)}, stored as {blob}"
    for blob in world.blobs.list_blobs(TEMP):
        if not _is_left_to_janitor(world, blob):
            yield f"{blob.ref} is left of {blob.metadata}"


def _two_owners(world: "World") -> Iterator[str]:
    owners = Counter((row.kind, row.location) for row in world.state.artifacts if row.state == "live")
    for (kind, location), number in owners.items():
        if number > 1:
            yield f"{kind} {location} has {number} owners"


def _awaits_janitor(world: "World", job_id: str) -> bool:
    """Return whether a clean-up of the job has failed, and there is no janitor to try it again."""
    if world.setup.has_watchdog:
        return False
    tasks = (task for task in world.state.tasks.values() if task.job_id == job_id)
    return any(task.kind == "cleanup" and task.status is TaskStatus.FAILED for task in tasks)


def _is_left_to_janitor(world: "World", blob: BlobProperties) -> bool:
    """Return whether a blob is one that only a later sweep can find, or that none looks for."""
    if blob.ref.container == TEMP and world.setup.has_watchdog:
        return False
    if (str(blob.ref), blob.etag) in world.late_writes:
        return True
    job_id = blob.metadata.get("terrane_job")
    if job_id is None:
        # A sweep by prefix spares what is no older than a second.
        job_id = blob.ref.name.split("/")[2]
        ended = world.state.jobs[job_id].completed_at
        return (
            _awaits_janitor(world, job_id)
            or ended is None
            or blob.last_modified >= ended.replace(microsecond=0)
        )
    return _awaits_janitor(world, job_id)


def no_bell_is_needed(world: "World") -> Iterator[str]:
    """No lane has anything that a bell could find."""
    for lane, waiting in world.state.queued.items():
        if waiting:
            yield f"{lane} has {len(waiting)} tasks"


LAWS: tuple[tuple[str, Callable[["World"], Iterator[str]]], ...] = (
    ("every job ends", every_job_ends),
    ("counters agree with rows", counters_agree_with_rows),
    ("nothing planned is lost", nothing_planned_is_lost),
    ("effects apply once", effects_apply_once),
    ("the history replays", history_replays),
    ("nothing is overdue", nothing_is_overdue),
    ("everything written is owned", everything_written_is_owned),
    ("no bell is left that finds work", no_bell_is_needed),
)


def first_fault(world: "World") -> tuple[str, str] | None:
    """Return the first law that does not hold, and how."""
    for law, faults in LAWS:
        found = next(faults(world), None)
        if found is not None:
            return law, found
    return None
