"""What a job needs that was left undone, in memory: what ``app.mend_job_v1`` does."""

from core import codes
from core.errors import ErrorCode
from core.identity import task_id
from core.json import JsonObject
from core.models.claims import FollowUp
from core.models.janitor import Mended
from core.states import JobStatus, StageStatus, TaskStatus
from infrastructure.memory.counting import recount, tallied
from infrastructure.memory.rows import JobRow, StageRow, TaskRow
from infrastructure.memory.state import EngineState


def mend(state: EngineState, job: JobRow) -> Mended:
    """Do what is left undone for an active job."""
    stage = present_stage(state, job)
    counted = False
    if stage is not None and stage.status in (StageStatus.PLANNING, StageStatus.PROCESSING):
        counted = recount(stage, tallied(state, job, stage.number))
    if job.status is JobStatus.QUEUED and (stage is None or stage.status is StageStatus.PROCESSING):
        state.move_job(job, JobStatus.PROCESSING)
        job.started_at = job.started_at or state.clock.now()
        state.note(job, "job", "processing")
    mended = _mend_stage(state, job, stage)
    if mended.action is None and counted:
        mended = Mended("counted again")
    if mended.action is not None:
        state.note(job, "job", "mended", actor="janitor", reason=mended.action)
    return mended


def present_stage(state: EngineState, job: JobRow) -> StageRow | None:
    """Return the stage at which a job stands: the first that is not completed."""
    stages = state.stages.get((job.job_id, job.revision), [])
    return next((stage for stage in stages if stage.status is not StageStatus.COMPLETED), None)


def _mend_stage(state: EngineState, job: JobRow, stage: StageRow | None) -> Mended:
    if stage is not None and stage.status is StageStatus.PLANNING:
        return _mend_planning(state, job, stage)
    if stage is not None and stage.status is StageStatus.PROCESSING:
        return _mend_processing(state, job, stage)
    return _mend_between(state, job, stage)


def _mend_processing(state: EngineState, job: JobRow, stage: StageRow) -> Mended:
    tasks = [t for t in state.tasks_of(job.job_id, job.revision) if _is_work_of(t, stage)]
    failed = [t for t in tasks if t.status is TaskStatus.FAILED and stage.on_task_failure == "stop"]
    fatal: JsonObject | None = None
    if failed:
        first = min(failed, key=lambda task: task.task_id)
        fatal = {**(first.error or {}), "task_id": first.task_id}
    if len(tasks) < stage.total:
        text = f"Stage {stage.number} has {len(tasks)} of the {stage.total} tasks that were planned."
        fatal = _error(codes.JOB_TASKS_MISSING, text)
    if fatal is not None and job.stop_to is None:
        return Mended("stopped for its failed task", _fail(state, job, stage, fatal))
    if stage.open_slots == 0:
        return Mended(_end_of(job), state.finish_stage(job, stage.number))
    return Mended()


def _mend_planning(state: EngineState, job: JobRow, stage: StageRow) -> Mended:
    plan = state.tasks.get(task_id(job.job_id, job.revision, stage.number, "plan", "plan"))
    if plan is None and job.stop_to is None:
        state.insert_plan(job, stage.number)
        return Mended("planned again", [FollowUp("ring", "light", 1)])
    if plan is not None and plan.completed_at is None:
        return Mended()
    completed = plan is not None and plan.status is TaskStatus.COMPLETED
    if completed and any(_is_work_of(task, stage) for task in state.tasks_of(job.job_id, job.revision)):
        state.move_stage(stage, StageStatus.PROCESSING)
        state.note(job, "stage", "processing", stage=stage.number)
        return Mended("begun", [FollowUp("ring", "light", 1), FollowUp("ring", "heavy", 1)])
    empty = completed and plan is not None and not (plan.result or {}).get("planned")
    if empty or job.stop_to is not None:
        return Mended(_end_of(job), state.finish_stage(job, stage.number))
    return Mended("stopped for its failed plan", _fail(state, job, stage, _plan_error(stage, plan)))


def _mend_between(state: EngineState, job: JobRow, stage: StageRow | None) -> Mended:
    if not state.stages.get((job.job_id, job.revision)):
        state.stages.setdefault((job.job_id, job.revision), [])
        error = _error(codes.JOB_TASKS_MISSING, "Nothing is left of the stages of the job.")
        return Mended("failed", state.end_job(job, JobStatus.FAILED, None, error))
    if job.stop_to is not None:
        return Mended(_end_of(job), state.end_job(job, JobStatus(job.stop_to), None, job.stop_error))
    if stage is None:
        return Mended("completed", state.complete_job(job))
    if stage.status is StageStatus.PENDING:
        return Mended("moved on", state.begin_stage(job, stage.number))
    code = codes.JOB_CANCELLED if stage.status is StageStatus.CANCELLED else codes.STAGE_FAILED
    error = _error(code, f"Stage {stage.number} is {stage.status}.")
    return Mended("ended as its stage", state.end_job(job, JobStatus(stage.status.value), None, error))


def _fail(state: EngineState, job: JobRow, stage: StageRow, fatal: JsonObject) -> list[FollowUp]:
    state.mark_stopping(job, "failed", fatal, None)
    if stage.status is StageStatus.PLANNING or stage.open_slots == 0:
        return state.finish_stage(job, stage.number)
    return [FollowUp("cancel", job.job_id, job.revision)]


def _plan_error(stage: StageRow, plan: TaskRow | None) -> JsonObject:
    text = f"Nothing is left of the plan of stage {stage.number}."
    error = (plan.error if plan else None) or _error(codes.JOB_TASKS_MISSING, text)
    return error | ({"task_id": plan.task_id} if plan else {})


def _end_of(job: JobRow) -> str:
    return "moved on" if job.stop_to is None else "stopped to the end"


def _is_work_of(task: TaskRow, stage: StageRow) -> bool:
    return task.kind == "work" and task.stage == stage.number


def _error(code: ErrorCode, message: str) -> JsonObject:
    return {"code": code.code, "message": message}
