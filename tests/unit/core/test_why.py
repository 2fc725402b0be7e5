from datetime import timedelta

import pytest

from core import codes
from core.models.claims import Beat, TaskEnd
from core.ports.engine import TaskFilter
from core.states import Outcome
from core.submission import SubmitRequest
from core.why import Why, why
from tests.factories.clock import ManualClock
from tests.factories.memory_app import MemoryApp, memory_app
from tests.factories.moods import MoodJob, do_mood


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def engine(clock: ManualClock) -> MemoryApp:
    return memory_app([MoodJob], [do_mood], clock)


def submit(engine: MemoryApp, mood: str = "well") -> str:
    return engine.app.submission.submit(SubmitRequest("mood", {"mood": mood})).job_id


def ask(engine: MemoryApp, job_id: str) -> Why:
    record = engine.app.jobs.get(job_id)
    assert record is not None
    return why(record, engine.app.tasks, engine.state.clock.now())


def claim_work(engine: MemoryApp) -> None:
    """Plan the only stage and claim its task, as a worker that then does nothing."""
    [plan] = engine.claim()
    engine.app.machine.executor.planner.run(plan)
    engine.claim()


def test_a_new_job_waits_for_its_turn(engine: MemoryApp) -> None:
    answer = ask(engine, submit(engine))

    assert answer == Why("job.queued", "Stage 1 of 1, only: its plan waits in lane light.")


def test_a_job_in_a_lane_that_nobody_serves_says_so(engine: MemoryApp, clock: ManualClock) -> None:
    job_id = submit(engine)
    clock.advance(timedelta(minutes=10))

    answer = ask(engine, job_id)

    assert answer.code == "lane.silent"
    assert "lane light" in answer.sentence


def test_a_pause_is_named_with_who_why_and_until_when(engine: MemoryApp, clock: ManualClock) -> None:
    job_id = submit(engine)
    engine.app.tasks.pause("upgrade", "ada", clock.now() + timedelta(hours=1))

    answer = ask(engine, job_id)

    assert answer == Why(
        "engine.paused", "Nothing is claimed until 2024-05-01T13:00:00Z; paused by ada: upgrade"
    )


def test_a_pause_without_an_end_says_so(engine: MemoryApp) -> None:
    job_id = submit(engine)
    engine.app.tasks.pause("", "ada", None)

    assert "until somebody resumes it; paused by ada." in ask(engine, job_id).sentence


def test_a_plan_that_is_being_made_names_its_worker(engine: MemoryApp) -> None:
    job_id = submit(engine)
    engine.claim()

    assert ask(engine, job_id) == Why(
        "stage.planning", "Stage 1 of 1, only is being planned by worker idler."
    )


def test_a_running_task_tells_worker_progress_and_message(engine: MemoryApp) -> None:
    job_id = submit(engine)
    claim_work(engine)
    [task] = engine.app.tasks.list_tasks(job_id, TaskFilter(status="processing"), 1, None)
    fence = engine.state.tasks[task.task_id].fence
    engine.app.tasks.beat([Beat(task.task_id, fence, 0.4, "warping")], timedelta(minutes=1))

    answer = ask(engine, job_id)

    assert answer == Why(
        "stage.running",
        "Stage 1 of 1, only: tasks running: 1, waiting: 0, ended: 0; worker idler beat last, 40%: warping",
    )


def test_a_worker_that_fell_silent_is_named(engine: MemoryApp, clock: ManualClock) -> None:
    job_id = submit(engine)
    claim_work(engine)
    clock.advance(timedelta(minutes=6))

    answer = ask(engine, job_id)

    assert answer.code == "worker.silent"
    assert "idler has been silent since 2024-05-01T12:00:00Z" in answer.sentence


def test_a_retry_tells_what_the_last_attempt_met_and_when_the_next_begins(
    engine: MemoryApp, clock: ManualClock
) -> None:
    job_id = submit(engine, "retrying")
    engine.work()

    answer = ask(engine, job_id)

    assert answer.code == "task.retrying"
    assert "attempt 1 of 5 met storage.unavailable: storage.test does not answer." in answer.sentence
    assert "The next one begins at 2024-05-01T12:00:0" in answer.sentence


def test_a_snooze_tells_what_is_waited_for(engine: MemoryApp) -> None:
    job_id = submit(engine, "snoozing")
    engine.work()

    assert ask(engine, job_id) == Why(
        "task.snoozed",
        "Stage 1 of 1, only looks again at 2024-05-01T12:10:00Z: waiting for the pipeline",
    )


def test_a_task_for_newer_workers_says_what_to_deploy(engine: MemoryApp) -> None:
    job_id = submit(engine)
    [plan] = engine.claim()
    error = {"code": codes.TASK_TYPE_UNKNOWN.code, "message": "No worker knows it."}
    end = TaskEnd(plan.task_id, plan.fence, Outcome.SNOOZE, error=error, delay=timedelta(seconds=60))
    engine.app.tasks.end([end])

    answer = ask(engine, job_id)

    assert answer == Why("worker.too_old", f"No worker knows it. {codes.TASK_TYPE_UNKNOWN.remedy}")


def test_a_stopping_job_tells_why_and_what_still_runs(engine: MemoryApp) -> None:
    job_id = submit(engine)
    claim_work(engine)
    engine.app.jobs.stop(
        job_id, "cancelled", {"code": "job.cancelled", "message": "Cancelled by ada."}, "ada"
    )

    answer = ask(engine, job_id)

    assert answer.code == "job.stopping"
    assert answer.sentence.startswith("It ends as cancelled: Cancelled by ada. Tasks still running: 1")


@pytest.mark.parametrize(
    ("mood", "code", "told"),
    [
        ("well", "job.completed", "Every task completed; it ended at 2024-05-01T12:00:00Z."),
        ("failing", "blob.empty", "bronze/a.tif has no bytes. Upload the file again."),
        ("broken", "task.unexpected_error", "RuntimeError: a bug. This is a bug: report it"),
    ],
)
def test_an_ended_job_tells_how_and_what_to_do(engine: MemoryApp, mood: str, code: str, told: str) -> None:
    job_id = submit(engine, mood)
    engine.work()

    answer = ask(engine, job_id)

    assert answer.code == code
    assert answer.sentence.startswith(told)


def test_a_cancelled_job_tells_who_cancelled_it(engine: MemoryApp) -> None:
    job_id = submit(engine)
    engine.app.jobs.stop(
        job_id, "cancelled", {"code": "job.cancelled", "message": "Cancelled by ada."}, "ada"
    )

    assert ask(engine, job_id) == Why("job.cancelled", "Cancelled by ada.")


@pytest.mark.parametrize(
    ("cleanup", "told"), [("pending", "is being cleaned up"), ("failed", "Its clean-up failed")]
)
def test_a_clean_up_that_is_not_done_is_told_beside(engine: MemoryApp, cleanup: str, told: str) -> None:
    job_id = submit(engine, "failing")
    engine.work()
    engine.state.jobs[job_id].cleanup = cleanup

    answer = ask(engine, job_id)

    assert answer.code == "blob.empty"
    assert told in answer.sentence


def test_a_job_whose_output_is_gone_says_so(engine: MemoryApp, clock: ManualClock) -> None:
    job_id = submit(engine)
    engine.work()
    engine.state.jobs[job_id].unpublished_at = clock.now()

    assert "taken back at 2024-05-01T12:00:00Z" in ask(engine, job_id).sentence


def test_a_job_that_was_replaced_names_its_successor(engine: MemoryApp) -> None:
    job_id = submit(engine)
    engine.work()
    engine.state.jobs[job_id].superseded_by = "f" * 64

    assert "f" * 64 in ask(engine, job_id).sentence
