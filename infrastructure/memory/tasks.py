"""Tasks in memory: claims, ends, plans, lanes."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from core.declaration import ROW_VERSION, TaskResult
from core.models.claims import (
    Beat,
    BeatAnswer,
    ClaimedTask,
    ClaimRequest,
    Ended,
    FollowUp,
    TaskEnd,
)
from core.models.records import TaskRecord
from core.ports.engine import FenceLost, JobStopping, PauseState, PlannedTask, TaskFilter
from core.states import JobStatus, Outcome, StageStatus, TaskStatus
from infrastructure.memory.ends import Decided, end_tasks, write_end
from infrastructure.memory.rows import JobRow, SlotRow, TaskRow, record
from infrastructure.memory.state import EngineState

_SECOND = timedelta(seconds=1)
_SILENCE = timedelta(seconds=30)


class InMemoryTaskRepository:
    """`core.ports.engine.TaskRepository` on an `EngineState`.

    Args:
        state: The tables.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def claim(self, request: ClaimRequest) -> Sequence[ClaimedTask]:
        """Take runnable tasks in the lane's order."""
        with self._state.locked() as now:
            if self._state.paused():
                return []
            picked = self._runnable(request.lane, request.start)[: request.limit]
            for task in picked:
                self._take(task, request, now)
            if picked:
                self._note_claim(request.lane, now)
            return [self._claimed(task, now) for task in picked]

    def claimed(self, request: ClaimRequest) -> Sequence[ClaimedTask]:
        """Return what an earlier call with this claim id took."""
        with self._state.locked() as now:
            held = [self._state.tasks[name] for name in self._state.leased]
            mine = [task for task in held if task.claim_id == request.claim_id]
            return [self._claimed(task, now) for task in sorted(mine, key=_order)]

    def end(self, ends: Sequence[TaskEnd]) -> Ended:
        """End claims."""
        with self._state.locked():
            return end_tasks(self._state, ends)

    def end_plan(self, plan: ClaimedTask, tasks: Iterable[PlannedTask], slots: int) -> Ended:
        """Write a stage's tasks and end their plan task, whole or not at all."""
        # The stream may read the store: it is drained before the transaction begins.
        planned = list(tasks)
        with self._state.locked() as now:
            task = self._state.tasks[plan.task_id]
            if task.fence != plan.fence or task.status is not TaskStatus.PROCESSING:
                raise FenceLost(plan.task_id)
            job = self._state.jobs[plan.job_id]
            if job.stop_to is not None:
                raise JobStopping(plan.job_id)
            self._insert(job, plan, planned, slots, now)
            stage = self._state.stages[plan.job_id, plan.revision][plan.stage - 1]
            stage.total = len(planned)
            stage.slots = [SlotRow(0) for _ in range(min(slots, len(planned)))]
            for row in planned:
                stage.slots[row.slot].open += 1
            stage.open_slots = len(stage.slots)
            if planned:
                self._state.move_stage(stage, StageStatus.PROCESSING)
            end = TaskEnd(task.task_id, plan.fence, Outcome.COMPLETED, {"planned": len(planned)})
            write_end(self._state, Decided(task, end, task.worker))
            if not planned:
                return Ended(follow_ups=tuple(self._state.finish_stage(job, plan.stage)))
            self._state.note(job, "stage", "processing", stage=plan.stage)
            return Ended(follow_ups=(FollowUp("ring", planned[0].lane, min(len(planned), 1000)),))

    def beat(self, beats: Sequence[Beat], lease: timedelta) -> Sequence[BeatAnswer]:
        """Renew leases."""
        with self._state.locked() as now:
            return [self._beat(beat, now + lease) for beat in beats]

    def defer_rescue(self, by: timedelta) -> None:
        """Let nobody rescue for a while."""
        with self._state.locked() as now:
            engine = self._state.engine
            engine.rescue_after = max(engine.rescue_after or now, now + by)

    def rescue(self, limit: int) -> Ended:
        """End claims whose leases have run out."""
        with self._state.locked() as now:
            if self._state.engine.rescue_after and self._state.engine.rescue_after > now:
                return Ended()
            held = [self._state.tasks[name] for name in self._state.leased]
            silent = [task for task in held if task.lease_until and task.lease_until < now]
            silent.sort(key=lambda task: (task.lease_until or now, task.task_id))
            ends = [TaskEnd(task.task_id, task.fence, Outcome.RESCUE) for task in silent[:limit]]
            return end_tasks(self._state, ends)

    def expire(self, limit: int) -> Ended:
        """Fail queued tasks whose deadline has passed."""
        with self._state.locked() as now:
            queued = [self._state.tasks[name] for lane in self._state.queued.values() for name in lane]
            late = sorted((task for task in queued if task.deadline < now), key=lambda task: task.task_id)
            ends = [TaskEnd(t.task_id, t.fence, Outcome.SNOOZE, error=t.error) for t in late[:limit]]
            return end_tasks(self._state, ends)

    def results(
        self, job_id: str, revision: int, stage: int, after_key: str, limit: int
    ) -> Sequence[TaskResult]:
        """Return results of a stage in order of key."""
        tasks = self._of_stage(job_id, revision, stage, after_key, TaskStatus.COMPLETED)
        return [TaskResult(task.key, task.result or {}) for task in tasks[:limit]]

    def failures(
        self, job_id: str, revision: int, stage: int, after_key: str, limit: int
    ) -> Sequence[TaskRecord]:
        """Return failed tasks of a stage in order of key."""
        tasks = self._of_stage(job_id, revision, stage, after_key, TaskStatus.FAILED)
        return [record(TaskRecord, task) for task in tasks[:limit]]

    def list_tasks(
        self, job_id: str, where: TaskFilter, limit: int, before: tuple[int, str] | None
    ) -> Sequence[TaskRecord]:
        """Return tasks of the present revision, last stage first."""
        with self._state.locked():
            job = self._state.jobs.get(job_id)
            tasks = self._state.tasks_of(job_id, job.revision) if job else []
            wanted = [
                task
                for task in sorted(tasks, key=_listing, reverse=True)
                if where.kind == task.kind
                and where.stage in (None, task.stage)
                and where.status in (None, task.status)
                and (before is None or _listing(task) < before)
            ]
            return [_slim(task, where.include) for task in wanted[:limit]]

    def get(self, task_id: str) -> TaskRecord | None:
        """Return a task."""
        with self._state.locked():
            task = self._state.tasks.get(task_id)
            return record(TaskRecord, task) if task else None

    def schedule_bell(self, lane: str) -> timedelta | None:
        """Take the right to send the lane's scheduled bell."""
        with self._state.locked() as now:
            due = self._due(lane, now)
            row = self._state.lanes[lane]
            if due is None or not (row.bell_at is None or row.bell_at > due or row.bell_at < now + _SECOND):
                return None
            row.bell_at = due
            return due - now

    def unschedule_bell(self, lane: str) -> None:
        """Give that right back."""
        with self._state.locked():
            self._state.lanes[lane].bell_at = None

    def runnable(self, lane: str, limit: int) -> int:
        """Return how many tasks of a lane are runnable now, up to a limit."""
        with self._state.locked():
            return 0 if self._state.paused() else min(len(self._runnable(lane, None)), limit)

    def silent_lanes(self) -> Sequence[str]:
        """Return lanes with runnable work that nobody takes."""
        with self._state.locked() as now:
            limit = now - _SILENCE
            return [lane for lane in self._state.lanes if self._state.waiting_since(lane, limit)]

    def pause(self, reason: str, by: str, until: datetime | None) -> None:
        """Let nothing be claimed."""
        with self._state.locked() as now:
            engine = self._state.engine
            engine.paused_at, engine.paused_until = now, until
            engine.pause_reason, engine.paused_by = reason, by

    def resume(self) -> None:
        """Let tasks be claimed again."""
        with self._state.locked():
            engine = self._state.engine
            engine.paused_at = engine.paused_until = engine.pause_reason = engine.paused_by = None

    def pause_state(self) -> PauseState:
        """Return whether claiming is paused."""
        with self._state.locked():
            if not self._state.paused():
                return PauseState(paused=False)
            engine = self._state.engine
            return PauseState(True, engine.paused_until, engine.pause_reason, engine.paused_by)

    def _runnable(self, lane: str, start: tuple[int, datetime] | None) -> list[TaskRow]:
        now = self._state.clock.now()
        queued = (self._state.tasks[name] for name in self._state.queued[lane])
        due = [task for task in queued if task.run_after <= now]
        if start is not None:
            due = [task for task in due if (task.rank, task.turn) >= start]
        return sorted(due, key=_order)

    def _take(self, task: TaskRow, request: ClaimRequest, now: datetime) -> None:
        self._state.move_task(task, TaskStatus.PROCESSING)
        task.fence += 1
        task.attempt += 1
        task.worker, task.claim_id, task.claimed_at = request.worker, request.claim_id, now
        task.lease_until, task.heartbeat_at = now + request.lease, now
        task.progress = task.message = None
        task.started_at = task.started_at or now
        job = self._state.jobs[task.job_id]
        if task.kind != "cleanup" and job.status is JobStatus.QUEUED:
            self._state.move_job(job, JobStatus.PROCESSING)
            job.started_at = job.started_at or now
            self._state.note(job, "job", "processing")

    def _note_claim(self, lane: str, now: datetime) -> None:
        """Write down that the lane is alive, at most once a second."""
        row = self._state.lanes[lane]
        if row.last_claim_at is None or row.last_claim_at < now - _SECOND:
            row.last_claim_at = now

    def _claimed(self, task: TaskRow, now: datetime) -> ClaimedTask:
        job = self._state.jobs[task.job_id]
        return record(
            ClaimedTask,
            task,
            job_type=job.job_type,
            claimed_for=now - (task.started_at or now),
            time_left=task.deadline - now,
            stopping=job.stop_to is not None and job.completed_at is None,
            last_code=(task.error or {}).get("code"),
        )

    def _insert(
        self, job: JobRow, plan: ClaimedTask, planned: Sequence[PlannedTask], slots: int, now: datetime
    ) -> None:
        self._state.add_tasks(
            TaskRow(
                task_id=row.task_id,
                job_id=plan.job_id,
                revision=plan.revision,
                stage=plan.stage,
                kind="work",
                key=row.key,
                task_type=row.task_type,
                lane=row.lane,
                rank=9 - job.priority,
                turn=now + row.position * row.pace,
                run_after=now,
                deadline=now + row.give_up_after,
                row_version=ROW_VERSION,
                max_attempts=row.max_attempts,
                created_at=now,
                position=row.position,
                slot=row.position % slots,
                parameters=row.parameters,
            )
            for row in planned
        )

    def _beat(self, beat: Beat, lease_until: datetime) -> BeatAnswer:
        task = self._state.tasks.get(beat.task_id)
        if task is None:
            return BeatAnswer(beat.task_id, "lost", stopping=False)
        job = self._state.jobs[task.job_id]
        stopping = job.stop_to is not None and job.completed_at is None and job.revision == task.revision
        if task.fence != beat.fence or task.status is not TaskStatus.PROCESSING:
            return BeatAnswer(beat.task_id, "lost", stopping)
        task.lease_until, task.heartbeat_at = lease_until, self._state.clock.now()
        task.progress = task.progress if beat.progress is None else beat.progress
        task.message = beat.message or task.message
        return BeatAnswer(beat.task_id, "kept", stopping)

    def _of_stage(
        self, job_id: str, revision: int, stage: int, after_key: str, status: TaskStatus
    ) -> list[TaskRow]:
        with self._state.locked():
            tasks = [
                task
                for task in self._state.tasks_of(job_id, revision)
                if task.stage == stage
                and task.kind == "work"
                and task.key > after_key
                and task.status is status
            ]
            return sorted(tasks, key=lambda task: task.key)

    def _first_of_ranks(self, lane: str) -> list[TaskRow]:
        # What waits for its time has that time as its turn, so the first of a rank is due first.
        queued = sorted((self._state.tasks[name] for name in self._state.queued[lane]), key=_order)
        return list({task.rank: task for task in reversed(queued)}.values())

    def _due(self, lane: str, now: datetime) -> datetime | None:
        if self._state.paused():
            due = self._state.engine.paused_until
        else:
            tasks = self._first_of_ranks(lane)
            leased = [self._state.tasks[name] for name in self._state.leased]
            ends = [task.lease_until for task in leased if task.lane == lane and task.lease_until]
            due = min([task.run_after for task in tasks] + ends, default=None)
        return None if due is None else max(due, now + _SECOND)


def _order(task: TaskRow) -> tuple[int, datetime, str]:
    return task.rank, task.turn, task.task_id


def _listing(task: TaskRow) -> tuple[int, str]:
    return task.stage, task.key


def _slim(task: TaskRow, include: frozenset[str]) -> TaskRecord:
    left_out = {name: None for name in ("parameters", "result") if name not in include}
    return record(TaskRecord, task, **left_out)
