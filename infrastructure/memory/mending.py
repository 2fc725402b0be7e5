"""What the janitor's rules ask and do, in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from core.models.claims import Ended, FollowUp
from core.models.janitor import Mended, Retried, SilentTask, Suspect
from core.ports.effects import ArtifactRecord
from core.ports.janitor import Range, Suspicion
from core.states import ENDED_STAGE, StageStatus
from infrastructure.memory.counting import agrees, tallied
from infrastructure.memory.ends import cancelled, end_tasks
from infrastructure.memory.mends import mend
from infrastructure.memory.rows import ArtifactRow, JobRow, TaskRow, record
from infrastructure.memory.state import EngineState

_LONGEST_WAIT = timedelta(days=1)
_DOUBLINGS = 20


class InMemoryMending:
    """`core.ports.janitor.Mending` on an `EngineState`.

    Args:
        state: The tables.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def suspects(self, why: Suspicion, age: timedelta, among: Range, limit: int) -> Sequence[Suspect]:
        """Look at the next jobs by id."""
        looks: Mapping[Suspicion, Callable[[JobRow, datetime], bool | None]] = {
            Suspicion.COUNTERS: self._counters_are_sound,
            Suspicion.UNMOVED: self._has_not_moved,
            Suspicion.STOPPING: self._is_stopping,
            Suspicion.IDLE: self._is_idle,
        }
        with self._state.locked() as now:
            active = (job for job in self._state.jobs.values() if job.completed_at is None)
            found: list[Suspect] = []
            for job in sorted(active, key=lambda job: job.job_id):
                if job.job_id > among.after and (not among.upto or job.job_id <= among.upto):
                    sound = looks[why](job, now - age)
                    if sound is not None:
                        found.append(Suspect(job.job_id, job.revision, sound))
            return found[:limit]

    def mend(self, job_id: str, revision: int) -> Mended:
        """Do for an active job what was left undone."""
        with self._state.locked():
            job = self._state.jobs.get(job_id)
            if job is None or job.revision != revision or job.completed_at is not None:
                return Mended()
            return mend(self._state, job)

    def cancel_stray_tasks(self, age: timedelta, limit: int) -> Ended:
        """Cancel open tasks of ended jobs and of former revisions."""
        with self._state.locked() as now:
            stray = [task for task in self._open_tasks() if self._is_stray(task, now - age)]
            stray.sort(key=lambda task: task.task_id)
            return end_tasks(self._state, [cancelled(task) for task in stray[:limit]])

    def remove_jobless_tasks(self, limit: int) -> Sequence[str]:
        """Delete open tasks without a job."""
        with self._state.locked():
            lost = [task for task in self._open_tasks() if task.job_id not in self._state.jobs][:limit]
            self._state.remove_tasks(lost)
            return [task.task_id for task in lost]

    def retry_cleanups(self, age: timedelta, grace: timedelta, limit: int) -> Retried:
        """Queue clean-ups again that are due."""
        with self._state.locked() as now:
            due: list[tuple[datetime, JobRow, int, int]] = []
            for job, revision, since, after_grace in self._wanted_cleanups():
                tasks = [t for t in self._state.tasks_of(job.job_id, revision) if t.kind == "cleanup"]
                waited = since < now - (grace if after_grace else age)
                if waited and _may_try_again(tasks, now, age):
                    due.append((since, job, revision, len(tasks) + 1))
            due.sort(key=lambda item: item[0])
            for _, job, revision, number in due[:limit]:
                self._state.add_tasks([self._state.cleanup_task(job, revision, number)])
            jobs = [job.job_id for _, job, _, _ in due[:limit]]
            return Retried(jobs, [FollowUp("ring", "light", len(jobs))] if jobs else ())

    def release_reservations(self, age: timedelta, limit: int) -> Sequence[str]:
        """Release what ended jobs have only reserved."""
        with self._state.locked() as now:
            released: list[str] = []
            for row in self._state.artifacts:
                job = self._state.jobs[row.job_id]
                over = job.completed_at is not None or row.revision < job.revision
                if row.state == "reserved" and over and job.updated_at < now - age:
                    if len(released) == limit:
                        break
                    row.become("released", now)
                    released.append(row.location)
            return released

    def forsaken(self, keys: Sequence[str], grace: timedelta) -> Mapping[str, datetime]:
        """Return the ids, or beginnings of ids, whose jobs all ended long enough ago."""
        with self._state.locked() as now:
            before = now - grace
            found: dict[str, datetime] = {}
            for key in keys:
                jobs = [job for job in self._state.jobs.values() if job.job_id.startswith(key)]
                if jobs and all(
                    _ended_before(job, before) and job.cleanup in ("none", "done") for job in jobs
                ):
                    found[key] = before
            return found

    def outdated_blobs(self, prefix: str, age: timedelta, limit: int) -> Sequence[ArtifactRecord]:
        """Return live blobs below a location that were published long ago."""
        with self._state.locked() as now:
            found = [
                row
                for row in self._live_blobs()
                if row.location.startswith(prefix) and row.updated_at and row.updated_at < now - age
            ]
            return [record(ArtifactRecord, row) for row in found[:limit]]

    def forget_blobs(self, locations: Sequence[str]) -> None:
        """Say of live blobs that they are deleted."""
        with self._state.locked() as now:
            for row in self._live_blobs():
                if row.location in locations:
                    row.become("deleted", now)

    def _live_blobs(self) -> list[ArtifactRow]:
        return [row for row in self._state.artifacts if (row.kind, row.state) == ("blob", "live")]

    def prunable(self, age: timedelta, limit: int) -> Sequence[Suspect]:
        """Return revisions that ended long ago and still have rows."""
        with self._state.locked() as now:
            found = [
                Suspect(job.job_id, job.revision)
                for job in self._state.jobs.values()
                if _ended_before(job, now - age)
                and job.pruned_revision < job.revision
                and job.cleanup in ("none", "done")
            ]
            for (job_id, revision), stages in self._state.stages.items():
                former = revision < self._state.jobs[job_id].revision
                ends = [stage.completed_at for stage in stages if stage.completed_at]
                is_open = any(task.completed_at is None for task in self._state.tasks_of(job_id, revision))
                if former and not is_open and ends and max(ends) < now - age:
                    found.append(Suspect(job_id, revision))
            return found[:limit]

    def prune(self, job_id: str, revision: int, limit: int) -> int:
        """Remove tasks and events of an ended revision."""
        with self._state.locked():
            job = self._state.jobs[job_id]
            if job.revision < revision or (job.revision == revision and job.completed_at is None):
                return 0
            tasks = [t for t in self._state.tasks_of(job_id, revision) if t.completed_at is not None][:limit]
            self._state.remove_tasks(tasks)
            events = [e for e in self._state.events if (e.job_id, e.revision) == (job_id, revision)]
            doomed = {event.event_id for event in events[: limit - len(tasks)]}
            self._state.events[:] = [e for e in self._state.events if e.event_id not in doomed]
            removed = len(tasks) + len(doomed)
            if removed < limit and job.revision == revision:
                job.pruned_revision = revision
            elif removed < limit:
                self._state.stages.pop((job_id, revision), None)
            return removed

    def silent_tasks(
        self, silence: timedelta, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[SilentTask]:
        """Return tasks in work that nobody has beaten for."""
        with self._state.locked() as now:
            held = [self._state.tasks[name] for name in self._state.leased]
            found = [
                self._silent(task, now)
                for task in held
                if task.heartbeat_at and task.heartbeat_at <= now - silence
            ]
            found.sort(key=lambda task: (task.heartbeat_at, task.task_id))
            behind = [t for t in found if after is None or (t.heartbeat_at, t.task_id) > after]
            return behind[:limit]

    def _silent(self, task: TaskRow, now: datetime) -> SilentTask:
        job = self._state.jobs[task.job_id]
        return record(
            SilentTask,
            task,
            job_type=job.job_type,
            silence=now - (task.heartbeat_at or now),
            running_for=now - (task.claimed_at or now),
            stopping=job.stop_to is not None and job.completed_at is None,
            now=now,
            rescue_after=self._state.engine.rescue_after,
        )

    def _open_tasks(self) -> list[TaskRow]:
        names = [name for queued in self._state.queued.values() for name in queued]
        return [self._state.tasks[name] for name in (*names, *self._state.leased)]

    def _is_stray(self, task: TaskRow, before: datetime) -> bool:
        job = self._state.jobs.get(task.job_id)
        if job is None or task.kind == "cleanup":
            return False
        over = job.completed_at is not None or job.revision != task.revision
        return over and job.updated_at < before and task.created_at < before

    def _wanted_cleanups(self) -> Iterator[tuple[JobRow, int, datetime, bool]]:
        """Yield job, revision, since when, and whether the grace period counts."""
        for job in self._state.jobs.values():
            if job.cleanup in ("pending", "failed") and job.completed_at is not None:
                yield job, job.revision, job.completed_at, False
        left: dict[tuple[str, int], datetime] = {}
        for row in self._state.artifacts:
            job = self._state.jobs[row.job_id]
            over = job.completed_at is not None and job.cleanup in ("none", "done")
            if row.state == "writing" and (row.revision < job.revision or over):
                key = (row.job_id, row.revision)
                since = max(filter(None, (row.updated_at, job.completed_at, left.get(key))))
                left[key] = since
        for (job_id, revision), since in left.items():
            yield self._state.jobs[job_id], revision, since, True

    def _counters_are_sound(self, job: JobRow, before: datetime) -> bool | None:
        stages = self._state.stages.get((job.job_id, job.revision), [])
        for stage in stages:
            if stage.status is StageStatus.PROCESSING and job.updated_at < before:
                return agrees(stage, tallied(self._state, job, stage.number))
        return None

    def _has_not_moved(self, job: JobRow, before: datetime) -> bool | None:
        stages = self._state.stages.get((job.job_id, job.revision), [])
        if job.updated_at >= before or len(stages) < job.stage:
            return None
        stage = stages[job.stage - 1]
        under_way = stage.status is StageStatus.PROCESSING
        failed = (
            job.stop_to is None and stage.on_task_failure == "stop" and any(s.failed for s in stage.slots)
        )
        over = stage.status in ENDED_STAGE or (under_way and (stage.open_slots == 0 or failed))
        return False if over else None

    def _is_stopping(self, job: JobRow, before: datetime) -> bool | None:
        return False if job.stop_at is not None and job.stop_at < before else None

    def _is_idle(self, job: JobRow, before: datetime) -> bool | None:
        tasks = self._state.tasks_of(job.job_id, job.revision)
        idle = job.updated_at < before and all(task.completed_at is not None for task in tasks)
        return False if idle else None


def _ended_before(job: JobRow, instant: datetime) -> bool:
    return job.completed_at is not None and job.completed_at < instant


def _may_try_again(tasks: Sequence[TaskRow], now: datetime, age: timedelta) -> bool:
    ends = [task.completed_at for task in tasks]
    if None in ends:
        return False
    wait = min(age * 2 ** max(min(len(tasks), _DOUBLINGS) - 1, 0), _LONGEST_WAIT)
    return all(end < now - wait for end in ends if end is not None)
