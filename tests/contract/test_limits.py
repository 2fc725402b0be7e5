"""The limits of a task in either store: attempts, rescues, releases and its deadline."""

from datetime import timedelta

import pytest

from core.declaration import Stage
from core.models.claims import ClaimedTask, FollowUp
from core.states import JobStatus, Outcome
from tests.factories.engine import FAULT, LEASE, MAX_RESCUES, EngineStore, end_of, id_of, keys

SECOND = timedelta(seconds=1)
FREE_RELEASES = 20


def _again(store: EngineStore, task: ClaimedTask, outcome: Outcome) -> ClaimedTask:
    assert store.end(task, outcome).outcome == outcome
    return store.claim_one()


def _rescued(store: EngineStore) -> str:
    """Let the one running task's lease run out and return what becomes of it."""
    store.advance(2 * LEASE)
    [answer] = store.tasks.rescue(10).answers
    assert answer.answer == "ended"
    return answer.outcome


def test_a_retry_counts_an_attempt_and_comes_after_its_pause(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.RETRY, delay=10 * SECOND)
    early = store.claim()
    store.advance(11 * SECOND)

    again = store.claim_one()

    assert early == []
    assert again.attempt == 2


def test_the_last_attempt_fails_with_its_own_fault(store: EngineStore) -> None:
    [task] = store.start(max_attempts=3)
    for _ in range(2):
        task = _again(store, task, Outcome.RETRY)

    answer = store.end(task, Outcome.RETRY)

    assert (task.attempt, answer.outcome) == (3, "failed")
    assert store.task(task).error == FAULT
    assert store.job().error == {**FAULT, "task_id": task.task_id}


@pytest.mark.parametrize("outcome", [Outcome.SNOOZE, Outcome.RELEASE, Outcome.RESCUE])
def test_what_is_no_fault_of_the_task_counts_no_attempt(store: EngineStore, outcome: Outcome) -> None:
    [task] = store.start(max_attempts=1)

    for _ in range(MAX_RESCUES):
        task = _again(store, task, outcome)

    assert task.attempt == 1


def test_a_task_may_snooze_as_often_as_it_likes(store: EngineStore) -> None:
    [task] = store.start(max_attempts=1)

    for _ in range(40):
        task = _again(store, task, Outcome.SNOOZE)

    assert (task.attempt, store.job().status) == (1, JobStatus.PROCESSING)


def test_a_rescue_takes_the_task_of_a_silent_worker(store: EngineStore) -> None:
    silent, alive = store.start(keys(2))
    store.advance(2 * LEASE)
    store.beat(alive)

    ended = store.tasks.rescue(10)

    assert [(a.task_id, a.answer, a.outcome) for a in ended.answers] == [(silent.task_id, "ended", "rescue")]
    assert ended.follow_ups == (FollowUp("ring", "light", 1),)
    assert store.statuses([silent, alive]) == ["queued", "processing"]
    assert store.end(silent).answer == "already"


def test_a_lease_that_holds_is_not_rescued(store: EngineStore) -> None:
    store.start()
    store.advance(LEASE - SECOND)

    assert store.tasks.rescue(10).answers == ()


def test_rescues_come_in_batches_longest_silent_first(store: EngineStore) -> None:
    store.submit()
    store.plan(keys(5))
    claimed = []
    for _ in range(5):
        claimed += store.claim(1)
        store.advance(SECOND)
    store.advance(2 * LEASE)

    batches = [{answer.task_id for answer in store.tasks.rescue(2).answers} for _ in range(4)]

    names = [task.task_id for task in claimed]
    assert batches == [set(names[:2]), set(names[2:4]), set(names[4:]), set()]


def test_a_task_survives_a_number_of_deaths_and_no_more(store: EngineStore) -> None:
    [task] = store.start()

    outcomes = []
    for _ in range(MAX_RESCUES):
        outcomes.append(_rescued(store))
        store.claim_one()
    last = _rescued(store)

    error = store.task(task).error or {}
    assert outcomes == ["rescue"] * MAX_RESCUES
    assert last == "failed"
    assert error["code"] == "task.worker_lost"
    assert error["message"] == "The last of its workers, worker, died or was stopped too."
    assert (store.job().status, store.job().error) == (JobStatus.FAILED, {**error, "task_id": task.task_id})


def test_releases_count_as_attempts_in_the_end(store: EngineStore) -> None:
    [task] = store.start(max_attempts=2)
    for _ in range(FREE_RELEASES):
        task = _again(store, task, Outcome.RELEASE)
    uncounted = task.attempt
    task = _again(store, task, Outcome.RELEASE)
    counted = task.attempt

    answer = store.end(task, Outcome.RELEASE)

    assert (uncounted, counted, answer.outcome) == (1, 2, "failed")
    assert (store.task(task).error or {})["code"] == "task.worker_lost"


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.SNOOZE, Outcome.RELEASE, Outcome.RESCUE])
def test_nothing_extends_a_deadline(store: EngineStore, outcome: Outcome) -> None:
    [task] = store.start(give_up_after=timedelta(minutes=10))
    store.advance(timedelta(minutes=11))

    answer = store.end(task, outcome, error={"code": "x", "message": "not yet"})

    assert (answer.answer, answer.outcome) == ("ended", "failed")
    assert store.task(task).error == {
        "code": "task.deadline",
        "message": "The task ran past its deadline; last: not yet",
    }


def test_a_result_that_is_late_is_still_a_result(store: EngineStore) -> None:
    [task] = store.start(give_up_after=timedelta(minutes=10))
    store.advance(timedelta(minutes=11))

    assert store.end(task).outcome == "completed"


def test_a_dead_worker_s_task_past_its_deadline_fails(store: EngineStore) -> None:
    [task] = store.start(give_up_after=timedelta(seconds=30))

    assert _rescued(store) == "failed"
    assert (store.task(task).error or {})["code"] == "task.deadline"


def test_a_queued_task_past_its_deadline_is_failed(store: EngineStore) -> None:
    store.submit(stages=(Stage("only", "work_type", "fan_out", on_task_failure="continue"),))
    store.plan(keys(3), give_up_after=timedelta(minutes=10))
    [running] = store.claim(1)
    early = store.tasks.expire(10)
    store.advance(timedelta(minutes=11))

    first = store.tasks.expire(1)
    rest = store.tasks.expire(10)

    assert early.answers == ()
    assert [len(first.answers), len(rest.answers)] == [1, 1]
    assert {answer.outcome for answer in [*first.answers, *rest.answers]} == {"failed"}
    assert store.statuses([running]) == ["processing"]
    assert store.job().stages[0].tasks.failed == 2
    failed = store.tasks.failures(id_of("a"), 1, 1, "", 10)
    assert [(task.error or {})["message"] for task in failed] == ["The task ran past its deadline."] * 2


def test_a_plan_past_its_deadline_fails_a_job_that_never_began(store: EngineStore) -> None:
    store.submit()
    store.advance(timedelta(hours=25))

    store.tasks.expire(10)

    job = store.job()
    assert (job.status, job.started_at, (job.error or {})["code"]) == (
        JobStatus.FAILED,
        None,
        "task.deadline",
    )


def test_a_queued_task_of_a_stopping_job_is_cancelled_by_its_deadline(store: EngineStore) -> None:
    store.submit()
    store.plan(["k"], give_up_after=timedelta(minutes=10))
    store.stop()
    store.advance(timedelta(minutes=11))

    [answer] = store.tasks.expire(10).answers

    assert answer.outcome == "cancelled"
    assert store.job().status is JobStatus.CANCELLED


@pytest.mark.parametrize("outcome", [Outcome.RELEASE, Outcome.RESCUE])
def test_what_was_given_back_keeps_its_place_in_the_order(store: EngineStore, outcome: Outcome) -> None:
    first, *_ = store.start(keys(3))
    store.submit("b")
    store.end(first, outcome)

    order = [(task.job_id, task.kind) for task in store.claim()]

    assert order == [(id_of("a"), "work"), (id_of("b"), "plan")]


@pytest.mark.parametrize(
    ("outcome", "action"),
    [
        (Outcome.RETRY, "later"),
        (Outcome.SNOOZE, "later"),
        (Outcome.RELEASE, "ring"),
        (Outcome.RESCUE, "ring"),
    ],
)
def test_what_is_put_back_asks_for_its_bell(store: EngineStore, outcome: Outcome, action: str) -> None:
    tasks = store.start(keys(3))

    ended = store.tasks.end([end_of(task, outcome, delay=SECOND) for task in tasks])

    assert ended.follow_ups == (FollowUp(action, "light", 3),)
