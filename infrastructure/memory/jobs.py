"""Jobs in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from core.declaration import ROW_VERSION
from core.identity import task_id
from core.json import JsonObject, to_jsonable
from core.models.claims import FollowUp, StopAnswer
from core.models.records import EventRecord, JobRecord, StageRecord, TaskCounts, ViolationRecord
from core.models.submissions import NewJob, SubmitAnswer
from core.ports.engine import JobFilter
from core.states import ENDED_STAGE, JobStatus, StageStatus, TaskStatus
from infrastructure.memory.ends import cancelled, end_tasks
from infrastructure.memory.rows import ArtifactRow, JobRow, StageRow, TaskRow, record
from infrastructure.memory.state import EngineState
from infrastructure.memory.violations import violations

_CLAIMANT = ("reserved", "writing")


class InMemoryJobRepository:
    """`core.ports.engine.JobRepository` on an `EngineState`.

    Args:
        state: The tables.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def submit(self, job: NewJob) -> SubmitAnswer:
        """Find, join or make a revision of a job."""
        with self._state.locked() as now:
            existing = self._state.jobs.get(job.job_id)
            if existing is not None:
                answer = _answer_existing(existing, job)
                if answer != "created":
                    return SubmitAnswer(answer, existing.status, existing.revision)
            revision = existing.revision + 1 if existing else 1
            owned = self._reserve(job, revision)
            if owned is not None:
                return SubmitAnswer("owned", owner=owned.job_id, location=owned.location)
            row = _new_row(job, revision, now)
            if existing is not None:
                row.created_at = existing.created_at
            self._state.jobs[job.job_id] = row
            self._insert_stages(row, job)
            return SubmitAnswer("created", row.status, row.revision)

    def get(self, job_id: str) -> JobRecord | None:
        """Return a job with its stages."""
        with self._state.locked():
            row = self._state.jobs.get(job_id)
            if row is None:
                return None
            stages = self._state.stages[job_id, row.revision]
            running = self._running(row)
            last = max(running, key=lambda task: task.heartbeat_at or task.created_at, default=None)
            return record(
                JobRecord,
                row,
                message=last.message if last else None,
                task_progress=last.progress if last else None,
                stages=tuple(_stage_record(stage, running) for stage in stages),
            )

    def statuses(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Return the status of each known job."""
        with self._state.locked():
            jobs = self._state.jobs
            return {job_id: jobs[job_id].status for job_id in job_ids if job_id in jobs}

    def with_prefix(self, prefix: str) -> Mapping[str, datetime | None]:
        """Return the jobs whose ids begin with `prefix`, and when each has ended."""
        with self._state.locked():
            jobs = self._state.jobs.values()
            return {job.job_id: job.completed_at for job in jobs if job.job_id.startswith(prefix)}

    def list_jobs(
        self, where: JobFilter, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[JobRecord]:
        """Return jobs without their stages, newest first."""
        with self._state.locked():
            rows = sorted(
                self._state.jobs.values(), key=lambda job: (job.created_at, job.job_id), reverse=True
            )
            wanted = [
                row
                for row in rows
                if _matches(row, where) and (before is None or (row.created_at, row.job_id) < before)
            ]
            return [record(JobRecord, row) for row in wanted[:limit]]

    def events(self, job_id: str, limit: int, after: int) -> Sequence[EventRecord]:
        """Return events in order."""
        with self._state.locked():
            mine = (e for e in self._state.events if e.job_id == job_id and e.event_id > after)
            return list(mine)[:limit]

    def stop(self, job_id: str, to: str, error: JsonObject, by: str) -> StopAnswer:
        """Ask a job to end early."""
        with self._state.locked():
            job = self._state.jobs.get(job_id)
            if job is None:
                return StopAnswer("unknown")
            if job.completed_at is not None:
                return StopAnswer("ended")
            if job.stop_to is not None:
                return StopAnswer("already")
            self._state.mark_stopping(job, to, error, by)
            plan = self._open_plan(job)
            if plan is not None and plan.status is TaskStatus.QUEUED:
                return StopAnswer("stopped", end_tasks(self._state, [cancelled(plan)]).follow_ups)
            if plan is None and self._has_closed_stage(job):
                return StopAnswer("stopped", tuple(self._state.finish_stage(job, job.stage)))
            return StopAnswer("stopping", (FollowUp("cancel", job_id, job.revision),))

    def cancel_queued(
        self, job_id: str, revision: int, after_key: str, limit: int
    ) -> tuple[str | None, Sequence[FollowUp]]:
        """Cancel a batch of queued tasks of a stopping job."""
        with self._state.locked():
            job = self._state.jobs[job_id]
            if job.revision != revision or job.stop_to is None or job.completed_at is not None:
                return None, ()
            tasks = [
                task
                for task in self._state.tasks_of(job_id, revision)
                if task.kind == "work" and task.stage == job.stage and task.key > after_key
            ]
            batch = sorted(tasks, key=lambda task: task.key)[:limit]
            ends = [cancelled(task) for task in batch if task.status is TaskStatus.QUEUED]
            last = batch[-1].key if len(batch) == limit else None
            return last, end_tasks(self._state, ends).follow_ups

    def violations(self, limit: int) -> Sequence[ViolationRecord]:
        """Return rows that are older than their law allows."""
        with self._state.locked():
            return violations(self._state)[:limit]

    def count_active(self, limit: int) -> int:
        """Return how many jobs have not ended."""
        with self._state.locked():
            return min(limit, sum(job.completed_at is None for job in self._state.jobs.values()))

    def count_violations(self) -> int:
        """Return how many there are."""
        with self._state.locked():
            return len(violations(self._state))

    def ping(self) -> str:
        """Answer."""
        return "in memory"

    def _running(self, job: JobRow) -> list[TaskRow]:
        tasks = (self._state.tasks[name] for name in self._state.leased)
        return [task for task in tasks if (task.job_id, task.revision) == (job.job_id, job.revision)]

    def _open_plan(self, job: JobRow) -> TaskRow | None:
        name = task_id(job.job_id, job.revision, job.stage, "plan", "plan")
        plan = self._state.tasks.get(name)
        return plan if plan is not None and plan.completed_at is None else None

    def _has_closed_stage(self, job: JobRow) -> bool:
        stage = self._state.stages[job.job_id, job.revision][job.stage - 1]
        return stage.status not in ENDED_STAGE and stage.open_slots == 0

    def _reserve(self, job: NewJob, revision: int) -> ArtifactRow | None:
        """Reserve every location, or none; return what another job has."""
        now = self._state.clock.now()
        places = {(place.kind, place.name) for place in job.reservations}
        taken = [row for row in self._state.artifacts if (row.kind, row.location) in places]
        for row in sorted(taken, key=lambda row: (row.kind, row.location)):
            claimed = row.state in _CLAIMANT
            if row.job_id != job.job_id and (claimed or (row.state == "live" and not job.replace)):
                return row
        mine = [row for row in taken if row.state in _CLAIMANT]
        for row in mine:
            row.revision, row.updated_at = revision, now
        for kind, location in sorted(places - {(row.kind, row.location) for row in mine}):
            self._state.artifacts.append(
                ArtifactRow(kind, location, job.job_id, revision, "published", "reserved", updated_at=now)
            )
        return None

    def _insert_stages(self, row: JobRow, job: NewJob) -> None:
        self._state.stages[row.job_id, row.revision] = [
            StageRow(
                number,
                stage.name,
                stage.task_type,
                str(stage.parallelism),
                stage.on_task_failure,
                StageStatus.PLANNING if number == 1 else StageStatus.PENDING,
                started_at=row.updated_at if number == 1 else None,
            )
            for number, stage in enumerate(job.stages, start=1)
        ]
        self._state.note(row, "job", "queued", actor=row.requested_by)
        self._state.insert_plan(row, 1)


def _age(row: JobRow) -> tuple[datetime, str]:
    return row.created_at, row.job_id


def _answer_existing(row: JobRow, job: NewJob) -> str:
    if row.completed_at is None:
        return "joined" if row.stop_to is None else "stopping"
    stands = row.status is JobStatus.COMPLETED and row.identity == "for_ever"
    if stands and row.unpublished_at is None and row.superseded_by is None:
        again = job.rerun and row.revision == (job.seen_revision or row.revision)
        if not again:
            return "found"
    return "cleaning" if row.cleanup == "pending" else "created"


def _new_row(job: NewJob, revision: int, now: datetime) -> JobRow:
    return JobRow(
        job_id=job.job_id,
        job_type=job.job_type,
        status=JobStatus.QUEUED,
        revision=revision,
        priority=job.priority,
        identity=job.identity,
        row_version=ROW_VERSION,
        parameters=to_jsonable(job.parameters),
        total_stages=len(job.stages),
        has_intermediates=job.has_intermediates,
        sources=dict(job.sources),
        requested_by=job.requested_by,
        traceparent=job.traceparent,
        created_at=now,
        updated_at=now,
    )


def _stage_record(stage: StageRow, running: Sequence[TaskRow]) -> StageRecord:
    processing = sum(task.kind == "work" and task.stage == stage.number for task in running)
    counts = TaskCounts(
        total=stage.total,
        queued=sum(slot.open for slot in stage.slots) - processing,
        processing=processing,
        completed=sum(slot.completed for slot in stage.slots),
        failed=sum(slot.failed for slot in stage.slots),
        cancelled=sum(slot.cancelled for slot in stage.slots),
    )
    return record(StageRecord, stage, tasks=counts)


def _matches(row: JobRow, where: JobFilter) -> bool:
    code = (row.error or {}).get("code")
    return (
        where.status in (None, row.status)
        and where.job_type in (None, row.job_type)
        and where.code in (None, code)
        and (where.submitted_after is None or row.created_at >= where.submitted_after)
        and (where.submitted_before is None or row.created_at < where.submitted_before)
    )
