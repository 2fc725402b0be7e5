"""Ends in either store: idempotent by fence, counted in slots, and the last one moves the job on."""

from datetime import timedelta
from itertools import permutations

import pytest

from core.declaration import Stage
from core.models.claims import EndAnswer, FollowUp, TaskEnd
from core.states import FINAL_OUTCOMES, JobStatus, Outcome, StageStatus, TaskStatus
from tests.factories.engine import (
    FAULT,
    LEASE,
    ONE_STAGE,
    TWO_STAGES,
    EngineStore,
    end_of,
    id_of,
    keys,
)

TOLERANT = (Stage("only", "work_type", "fan_out", on_task_failure="continue"),)
PUT_BACK = [outcome for outcome in Outcome if outcome not in FINAL_OUTCOMES]


@pytest.mark.parametrize("outcome", Outcome)
def test_a_claim_ends_once_and_its_repetition_learns_how(store: EngineStore, outcome: Outcome) -> None:
    first, _ = store.start(keys(2), stages=TOLERANT)

    ended = store.end(first, outcome)
    before = (store.task(first), store.job().stages, store.events())
    again = store.end(first, outcome)
    other = store.end(first, Outcome.FAILED)

    assert ended == EndAnswer(first.task_id, "ended", outcome)
    assert again == other == EndAnswer(first.task_id, "already", outcome)
    assert (store.task(first), store.job().stages, store.events()) == before


@pytest.mark.parametrize("outcome", Outcome)
def test_a_claim_that_was_overtaken_is_lost_and_changes_nothing(store: EngineStore, outcome: Outcome) -> None:
    first, _ = store.start(keys(2), stages=TOLERANT)
    store.end(first, Outcome.RELEASE)
    store.claim_one()
    before = (store.task(first), store.job().stages, store.events())

    late = TaskEnd(first.task_id, first.fence - 1, outcome)
    [answer] = store.tasks.end([late]).answers

    assert answer.answer == "lost"
    assert (store.task(first), store.job().stages, store.events()) == before


@pytest.mark.parametrize("outcome", Outcome)
def test_the_first_holder_is_answered_with_its_own_end_while_another_works(
    store: EngineStore, outcome: Outcome
) -> None:
    [first] = store.start()
    store.end(first, Outcome.SNOOZE, delay=timedelta(0))
    second = store.claim_one()

    assert store.end(first, outcome) == EndAnswer(first.task_id, "already", "snooze")
    assert store.statuses([second]) == ["processing"]


@pytest.mark.parametrize("outcome", PUT_BACK)
def test_whatever_puts_a_task_back_lets_it_be_claimed_again(store: EngineStore, outcome: Outcome) -> None:
    [task] = store.start()

    store.end(task, outcome)

    record = store.task(task)
    assert record.status is TaskStatus.QUEUED
    assert (record.worker, record.lease_until, record.completed_at) == (None, None, None)
    assert store.claim_one().task_id == task.task_id
    assert store.job().stages[0].tasks.processing == 1


@pytest.mark.parametrize(("first", "second"), list(permutations(sorted(FINAL_OUTCOMES), 2)))
def test_what_has_ended_ends_no_other_way(store: EngineStore, first: Outcome, second: Outcome) -> None:
    task, _ = store.start(keys(2), stages=TOLERANT)
    store.end(task, first)

    for fence in (task.fence, task.fence + 1):
        store.tasks.end([TaskEnd(task.task_id, fence, second)])

    assert store.statuses([task]) == [first]
    counts = store.job().stages[0].tasks
    assert (counts.ended, counts.processing) == (1, 1)


@pytest.mark.parametrize("outcome", Outcome)
def test_a_task_in_the_queue_is_not_ended_by_one_who_never_held_it(
    store: EngineStore, outcome: Outcome
) -> None:
    [task] = store.start()
    store.end(task, Outcome.RELEASE)

    [answer] = store.tasks.end([TaskEnd(task.task_id, 77, outcome)]).answers

    assert answer.answer == "lost"
    assert store.statuses([task]) == ["queued"]


def test_an_end_of_a_task_that_is_gone_is_not_answered(store: EngineStore) -> None:
    assert store.tasks.end([TaskEnd("nothing", 1, Outcome.COMPLETED)]).answers == ()
    assert store.tasks.end([]).answers == ()


def test_an_end_that_is_named_twice_in_one_call_counts_once(store: EngineStore) -> None:
    first, _ = store.start(keys(2))

    answers = store.end_all([first, first]).answers

    assert answers == (EndAnswer(first.task_id, "ended", "completed"),)
    assert store.job().status is JobStatus.PROCESSING
    assert store.job().stages[0].tasks.completed == 1
    assert store.events().count("task.completed") == 2


def test_one_call_answers_each_claim_for_itself(store: EngineStore) -> None:
    done, bad, later, gone, twice = store.start(keys(5), stages=TOLERANT)
    store.advance(2 * LEASE)
    store.beat(done, bad, later, twice)
    store.tasks.rescue(10)
    store.claim_one()
    store.end(twice, Outcome.SNOOZE, delay=timedelta(hours=1))

    ended = store.tasks.end(
        [
            end_of(twice, Outcome.COMPLETED),
            end_of(gone, Outcome.COMPLETED),
            end_of(later, Outcome.SNOOZE, delay=timedelta(hours=1)),
            end_of(bad, Outcome.FAILED),
            end_of(done, Outcome.COMPLETED),
        ]
    )

    assert {answer.task_id: (answer.answer, answer.outcome) for answer in ended.answers} == {
        done.task_id: ("ended", "completed"),
        bad.task_id: ("ended", "failed"),
        later.task_id: ("ended", "snooze"),
        gone.task_id: ("already", "rescue"),
        twice.task_id: ("already", "snooze"),
    }
    assert ended.follow_ups == (FollowUp("later", "light", 1),)
    assert store.statuses([done, bad, later, gone, twice]) == [
        "completed",
        "failed",
        "queued",
        "processing",
        "queued",
    ]


def test_a_completed_task_keeps_its_result_and_forgets_its_fault(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.RETRY)
    store.end(store.claim_one(), Outcome.COMPLETED, result={"n": 1})

    record = store.task(task)
    assert (record.result, record.error, record.progress) == ({"n": 1}, None, 1.0)
    assert record.completed_at is not None
    assert record.attempt == 2


def test_a_task_that_is_put_back_keeps_the_fault_that_it_met(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.RETRY)
    store.end(store.claim_one(), Outcome.RELEASE)

    assert store.task(task).error == FAULT


def test_a_snooze_says_what_it_waits_for(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.SNOOZE, error={"message": "waiting for the pipeline"})

    assert store.task(task).message == "waiting for the pipeline"


@pytest.mark.parametrize("slots", [1, 2, 3, 16])
@pytest.mark.parametrize("number", [1, 2, 7, 33])
def test_the_last_end_of_a_stage_moves_the_job_on_and_no_other(
    store: EngineStore, slots: int, number: int
) -> None:
    tasks = store.start(keys(number), slots=slots)

    moved = []
    for task in tasks[::-1]:
        moved.append(store.job().status is JobStatus.COMPLETED)
        store.end(task)

    job = store.job()
    assert moved == [False] * number
    assert job.status is JobStatus.COMPLETED
    assert (job.stages[0].tasks.total, job.stages[0].tasks.completed) == (number, number)


@pytest.mark.parametrize("slots", [1, 3])
def test_a_stage_ended_by_one_call_moves_the_job_on_once(store: EngineStore, slots: int) -> None:
    tasks = store.start(keys(10), stages=TWO_STAGES, slots=slots)

    ended = store.end_all(tasks)

    job = store.job()
    assert ended.follow_ups == (FollowUp("ring", "light", 1),)
    assert [stage.status for stage in job.stages] == [StageStatus.COMPLETED, StageStatus.PLANNING]
    assert job.stage == 2
    assert [task.kind for task in store.claim()] == ["plan"]


def test_one_call_may_end_stages_of_several_jobs(store: EngineStore) -> None:
    tasks = [task for name in "abc" for task in store.start(keys(2), name=name)]

    store.end_all(tasks[::-1])

    assert [store.job(name).status for name in "abc"] == [JobStatus.COMPLETED] * 3


def test_the_ledger_counts_every_task_once(store: EngineStore) -> None:
    done, bad, waiting, *_ = store.start(keys(6), stages=TOLERANT, slots=3)
    store.end(done)
    store.end(bad, Outcome.FAILED)
    store.end(waiting, Outcome.SNOOZE, delay=timedelta(hours=1))

    counts = store.job().stages[0].tasks
    assert (counts.total, counts.queued, counts.processing) == (6, 1, 3)
    assert (counts.completed, counts.failed, counts.cancelled) == (1, 1, 0)
    assert store.job().progress == pytest.approx(2 / 6)


def test_a_job_of_one_task_has_that_task_s_result(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.COMPLETED, result={"answer": 42})

    job = store.job()
    assert (job.status, job.result, job.progress) == (JobStatus.COMPLETED, {"answer": 42}, 1.0)
    assert job.completed_at is not None


def test_a_job_of_many_tasks_has_the_ledger_of_its_stages(store: EngineStore) -> None:
    store.end_all(store.start(keys(3)))

    assert store.job().result == {
        "stages": [{"number": 1, "name": "only", "planned": 3, "completed": 3, "failed": 0, "cancelled": 0}]
    }


def test_failures_that_a_stage_goes_on_without_leave_the_job_completed_with_errors(
    store: EngineStore,
) -> None:
    stages = (*TOLERANT, Stage("after", "work_type", "fan_out"))
    good, bad = store.start(keys(2), stages=stages)
    store.end_all([bad], Outcome.FAILED)
    store.end(good)
    store.plan(["k"])
    store.end(store.claim_one(), Outcome.COMPLETED, result={"n": 1})

    job = store.job()
    assert job.status is JobStatus.COMPLETED_WITH_ERRORS
    assert [stage.status for stage in job.stages] == [StageStatus.COMPLETED] * 2
    assert (job.error, job.result) == (None, {"n": 1})
    assert job.progress == 0.999


def test_a_stage_all_of_whose_tasks_failed_fails_its_job(store: EngineStore) -> None:
    tasks = store.start(keys(2), stages=TOLERANT)

    store.end_all(tasks, Outcome.FAILED)

    job = store.job()
    assert (job.status, job.stages[0].status) == (JobStatus.FAILED, StageStatus.FAILED)
    assert job.error == {"code": "stage.failed", "message": "All 2 tasks of stage 1 failed."}


def test_a_plan_that_fails_fails_its_job_whatever_the_stage_tolerates(store: EngineStore) -> None:
    store.submit(stages=TOLERANT)
    plan = store.claim_one()

    store.end(plan, Outcome.FAILED)

    job = store.job()
    assert (job.status, job.stages[0].status) == (JobStatus.FAILED, StageStatus.FAILED)
    assert job.error == {**FAULT, "task_id": plan.task_id}


def test_the_history_tells_every_end_with_its_worker(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.RETRY)
    store.end(store.claim_one())

    history = [event for event in store.jobs.events(id_of("a"), 100, 0) if event.task_id == task.task_id]

    assert [(event.event, event.worker, event.error) for event in history] == [
        ("retry", "worker", FAULT),
        ("completed", "worker", None),
    ]
    assert all(event.started_at is not None for event in history)
    assert store.events() == [
        "job.queued",
        "stage.planning",
        "job.processing",
        "task.completed",
        "stage.processing",
        "task.retry",
        "task.completed",
        "stage.completed",
        "job.completed",
    ]


@pytest.mark.parametrize(
    ("outcome", "cleanup"),
    [(Outcome.COMPLETED, "done"), (Outcome.FAILED, "failed"), (Outcome.CANCELLED, "failed")],
)
def test_the_end_of_a_clean_up_is_kept_at_its_job(store: EngineStore, outcome: Outcome, cleanup: str) -> None:
    store.submit(has_intermediates=True)
    store.plan([])
    pending = store.job().cleanup
    task = store.claim_one()

    store.end(task, outcome)

    assert (pending, task.kind) == ("pending", "cleanup")
    assert (store.job().cleanup, store.job().status) == (cleanup, JobStatus.COMPLETED)


@pytest.mark.parametrize("outcome", PUT_BACK)
def test_a_clean_up_that_is_put_back_is_still_pending(store: EngineStore, outcome: Outcome) -> None:
    store.submit(has_intermediates=True)
    store.plan(["k"])
    work = store.claim_one()
    store.stop()
    store.end(work, Outcome.CANCELLED)

    answer = store.end(store.claim_one(), outcome)

    assert (answer.answer, answer.outcome) == ("ended", outcome)
    assert store.job().cleanup == "pending"
    assert store.claim_one().kind == "cleanup"


def test_the_clean_up_of_an_earlier_revision_says_nothing_about_this_one(store: EngineStore) -> None:
    store.submit(has_intermediates=True)
    store.plan([])
    clean_up = store.claim_one()
    store.end(clean_up, Outcome.FAILED)
    store.submit(has_intermediates=True, rerun=True, seen_revision=1)

    store.end(clean_up)

    assert store.job().cleanup == "none"


def test_a_job_that_reserved_and_wrote_nothing_needs_no_clean_up(store: EngineStore) -> None:
    store.end_all(store.start(stages=ONE_STAGE))

    assert store.job().cleanup == "none"
    assert store.claim() == []
