"""The end of claims in memory: what ``app.end_tasks_v1`` does."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from core import codes
from core.errors import ErrorCode
from core.json import JsonObject
from core.models.claims import EndAnswer, Ended, FollowUp, TaskEnd
from core.states import FINAL_OUTCOMES, Outcome, TaskStatus
from infrastructure.memory.rows import JobRow, TaskRow
from infrastructure.memory.state import EngineState

_FREE_RELEASES = 20


@dataclass(frozen=True)
class Decided:
    """An end that its task accepts, and what it comes to."""

    task: TaskRow
    end: TaskEnd
    worker: str | None


def end_tasks(state: EngineState, ends: Sequence[TaskEnd]) -> Ended:
    """End claims, idempotent by fence; call in a transaction of `state`."""
    answers: list[EndAnswer] = []
    decided: list[Decided] = []
    # An end that is named twice is one.
    named = {(end.task_id, end.fence): end for end in reversed(ends)}
    for _, end in sorted(named.items()):
        task = state.tasks.get(end.task_id)
        if task is None:
            continue
        if task.fence == end.fence and task.completed_at is None:
            settled = decide(state, task, end)
            decided.append(Decided(task, settled, task.worker))
            answers.append(EndAnswer(end.task_id, "ended", settled.outcome))
        elif task.ended_fence == end.fence:
            answers.append(EndAnswer(end.task_id, "already", str(task.ended_outcome)))
        else:
            answers.append(EndAnswer(end.task_id, "lost", end.outcome))
    for item in decided:
        write_end(state, item)
    return Ended(tuple(answers), tuple(_follow(state, decided)))


def decide(state: EngineState, task: TaskRow, end: TaskEnd) -> TaskEnd:
    """Return what becomes of a claim, by the task's own limits."""
    if end.outcome in FINAL_OUTCOMES:
        return end
    job = state.jobs[task.job_id]
    if job.stop_to is not None and task.kind != "cleanup":
        return replace(end, outcome=Outcome.CANCELLED)
    if task.deadline <= state.clock.now():
        message = (end.error or {}).get("message")
        text = "The task ran past its deadline" + (f"; last: {message}" if message else ".")
        return replace(end, outcome=Outcome.FAILED, error=_error(codes.TASK_DEADLINE, text))
    if end.outcome is Outcome.RETRY and task.attempt >= task.max_attempts:
        return replace(end, outcome=Outcome.FAILED)
    if _is_worn_out(state, task, end.outcome):
        text = f"The last of its workers, {task.worker or 'unknown'}, died or was stopped too."
        return replace(end, outcome=Outcome.FAILED, error=_error(codes.TASK_WORKER_LOST, text))
    return end


def _is_worn_out(state: EngineState, task: TaskRow, outcome: Outcome) -> bool:
    if outcome is Outcome.RESCUE:
        return task.rescues >= state.max_rescues
    return (
        outcome is Outcome.RELEASE and task.releases >= _FREE_RELEASES and task.attempt >= task.max_attempts
    )


def write_end(state: EngineState, item: Decided) -> None:
    """Write the task's row and its history: what ``app.write_ends_v1`` does."""
    task, end = item.task, item.end
    now = state.clock.now()
    was_claimed = task.status is TaskStatus.PROCESSING
    uncounted = end.outcome in (Outcome.SNOOZE, Outcome.RESCUE) or (
        end.outcome is Outcome.RELEASE and task.releases < _FREE_RELEASES
    )
    task.attempt -= was_claimed and uncounted
    task.rescues += end.outcome is Outcome.RESCUE
    task.releases += end.outcome is Outcome.RELEASE
    task.fence += 1
    task.ended_fence, task.ended_outcome = end.fence, end.outcome
    task.worker = task.claim_id = task.lease_until = None
    task.result = end.result
    task.run_after = now + end.delay
    if end.outcome in (Outcome.RETRY, Outcome.SNOOZE):
        task.turn = task.run_after
    _write_error(task, end)
    final = end.outcome in FINAL_OUTCOMES
    if final or was_claimed:
        state.move_task(task, TaskStatus(end.outcome.value) if final else TaskStatus.QUEUED)
    if item.worker is not None or end.outcome is Outcome.FAILED:
        error = None if end.outcome is Outcome.COMPLETED else end.error
        facts = {"stage": task.stage, "task_id": task.task_id, "worker": item.worker}
        state.note(task, "task", end.outcome, started_at=task.claimed_at, error=error, **facts)
    if task.kind == "cleanup" and final:
        _note_cleanup(state, task, end)


def _write_error(task: TaskRow, end: TaskEnd) -> None:
    if end.outcome is Outcome.COMPLETED:
        task.error, task.progress = None, 1.0
        return
    task.error = end.error or task.error
    if end.outcome is Outcome.SNOOZE:
        task.message = (end.error or {}).get("message") or task.message


def _note_cleanup(state: EngineState, task: TaskRow, end: TaskEnd) -> None:
    job = state.jobs[task.job_id]
    if job.revision == task.revision:
        job.cleanup = "done" if end.outcome is Outcome.COMPLETED else "failed"
        job.updated_at = state.clock.now()


def _follow(state: EngineState, decided: Sequence[Decided]) -> list[FollowUp]:
    rings: Counter[tuple[str, str]] = Counter()
    stages: dict[tuple[str, int, int], list[Decided]] = {}
    for item in decided:
        task, outcome = item.task, item.end.outcome
        if outcome not in FINAL_OUTCOMES:
            action = "ring" if outcome in (Outcome.RELEASE, Outcome.RESCUE) else "later"
            rings[action, task.lane] += 1
        elif task.kind != "cleanup":
            stages.setdefault((task.job_id, task.revision, task.stage), []).append(item)
    follow_ups = [FollowUp(action, lane, number) for (action, lane), number in rings.items()]
    for (job_id, revision, number), items in sorted(stages.items()):
        follow_ups += _follow_stage(state, state.jobs[job_id], revision, number, items)
    return follow_ups


def _follow_stage(
    state: EngineState, job: JobRow, revision: int, number: int, items: Sequence[Decided]
) -> list[FollowUp]:
    stage = state.stages[job.job_id, revision][number - 1]
    finished = any(item.task.kind == "plan" for item in items)
    for item in items:
        if item.task.slot is None:
            continue
        slot = stage.slots[item.task.slot]
        slot.open -= 1
        setattr(slot, item.end.outcome, getattr(slot, item.end.outcome) + 1)
        if slot.open == 0:
            stage.open_slots -= 1
            finished = finished or stage.open_slots == 0
    if job.revision != revision or job.completed_at is not None:
        return []
    fatal = _fatal(items, stage.on_task_failure)
    if fatal is not None and job.stop_to is None:
        state.mark_stopping(job, "failed", fatal, None)
    if finished:
        return state.finish_stage(job, number)
    return [FollowUp("cancel", job.job_id, revision)] if fatal is not None else []


def _fatal(items: Sequence[Decided], on_task_failure: str) -> JsonObject | None:
    for item in items:
        if item.end.outcome is Outcome.FAILED and (item.task.kind == "plan" or on_task_failure == "stop"):
            return {**(item.end.error or {}), "task_id": item.task.task_id}
    return None


def _error(code: ErrorCode, message: str) -> JsonObject:
    return {"code": code.code, "message": message}


def cancelled(task: TaskRow) -> TaskEnd:
    """Return the end of a task that is cancelled in the queue."""
    return TaskEnd(task.task_id, task.fence, Outcome.CANCELLED, delay=timedelta(0))
