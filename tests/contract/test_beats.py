"""Heartbeats to either store: what they renew, carry and bring back."""

from datetime import timedelta

from core.models.claims import Beat, BeatAnswer
from core.states import JobStatus, Outcome, TaskStatus
from tests.factories.engine import LEASE, EngineStore, keys

SECOND = timedelta(seconds=1)


def test_a_beat_renews_the_lease(store: EngineStore) -> None:
    [task] = store.start()
    store.advance(timedelta(seconds=30))

    answers = store.beat(task)

    record = store.task(task)
    assert answers == [BeatAnswer(task.task_id, "kept", stopping=False)]
    assert record.lease_until is not None
    assert record.heartbeat_at is not None
    assert record.lease_until - record.heartbeat_at == LEASE
    store.advance(LEASE - SECOND)
    assert store.tasks.rescue(10).answers == ()


def test_a_beat_carries_progress_and_message(store: EngineStore) -> None:
    [task] = store.start()
    store.beat(task, progress=0.25, message="a quarter")
    store.beat(task)

    record, job = store.task(task), store.job()

    assert (record.progress, record.message) == (0.25, "a quarter")
    assert (job.task_progress, job.message, job.progress) == (0.25, "a quarter", 0.25)


def test_a_job_s_message_is_that_of_the_task_that_beat_last(store: EngineStore) -> None:
    first, second = store.start(keys(2))
    store.beat(second, message="second")
    store.advance(SECOND)
    store.beat(first, message="first")

    assert store.job().message == "first"


def test_a_new_claim_begins_without_progress(store: EngineStore) -> None:
    [task] = store.start()
    store.beat(task, progress=0.5, message="half")
    store.end(task, Outcome.RELEASE)

    again = store.claim_one()

    record = store.task(again)
    assert (record.progress, record.message) == (None, None)


def test_a_lease_that_has_run_out_but_that_nobody_took_is_renewed(store: EngineStore) -> None:
    [task] = store.start()
    store.advance(10 * LEASE)

    answers = store.beat(task)

    assert [answer.answer for answer in answers] == ["kept"]
    assert store.tasks.rescue(10).answers == ()


def test_a_beat_of_a_claim_that_was_taken_away_says_so_and_changes_nothing(store: EngineStore) -> None:
    [task] = store.start()
    store.advance(2 * LEASE)
    store.tasks.rescue(10)
    again = store.claim_one()
    before = store.task(again)

    answers = store.beat(task, progress=0.9, message="mine")

    assert answers == [BeatAnswer(task.task_id, "lost", stopping=False)]
    assert store.task(again) == before


def test_a_beat_of_a_claim_that_ended_is_lost(store: EngineStore) -> None:
    task, _ = store.start(keys(2))
    store.end(task)

    assert [answer.answer for answer in store.beat(task)] == ["lost"]


def test_a_beat_of_a_task_that_is_gone_is_lost(store: EngineStore) -> None:
    answers = list(store.tasks.beat([Beat("nothing", 1)], LEASE))

    assert answers == [BeatAnswer("nothing", "lost", stopping=False)]


def test_one_call_answers_for_every_claim_of_a_process(store: EngineStore) -> None:
    kept, ended, taken = store.start(keys(3))
    store.end(ended, Outcome.SNOOZE, delay=SECOND)
    store.advance(2 * LEASE)
    store.beat(kept)
    store.tasks.rescue(10)

    answers = {answer.task_id: answer.answer for answer in store.beat(kept, ended, taken)}

    assert answers == {kept.task_id: "kept", ended.task_id: "lost", taken.task_id: "lost"}


def test_a_beat_learns_that_the_job_stops(store: EngineStore) -> None:
    [task] = store.start()
    store.stop()

    assert store.beat(task) == [BeatAnswer(task.task_id, "kept", stopping=True)]


def test_the_clean_up_of_a_stopped_job_is_not_told_to_stop(store: EngineStore) -> None:
    store.submit(has_intermediates=True)
    store.plan(["k"])
    work = store.claim_one()
    store.stop()
    store.end(work, Outcome.CANCELLED)
    clean_up = store.claim_one()

    answers = store.beat(clean_up)

    assert clean_up.kind == "cleanup"
    assert not clean_up.stopping
    assert answers == [BeatAnswer(clean_up.task_id, "kept", stopping=False)]
    assert store.job().status is JobStatus.CANCELLED


def test_after_an_outage_nobody_is_rescued_for_a_while(store: EngineStore) -> None:
    [task] = store.start()
    store.advance(2 * LEASE)
    store.tasks.defer_rescue(timedelta(seconds=15))

    held_back = store.tasks.rescue(10)
    store.advance(timedelta(seconds=16))
    late = store.tasks.rescue(10)

    assert held_back.answers == ()
    assert [answer.task_id for answer in late.answers] == [task.task_id]


def test_a_shorter_delay_does_not_shorten_a_longer_one(store: EngineStore) -> None:
    store.start()
    store.advance(2 * LEASE)
    store.tasks.defer_rescue(timedelta(seconds=60))
    store.tasks.defer_rescue(timedelta(seconds=1))
    store.advance(timedelta(seconds=30))

    assert store.tasks.rescue(10).answers == ()


def test_a_beat_wakes_no_task_that_waits(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.RELEASE)
    store.beat(task)

    record = store.task(task)
    assert (record.status, record.lease_until, record.worker) == (TaskStatus.QUEUED, None, None)
