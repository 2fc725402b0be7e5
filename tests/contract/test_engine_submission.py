"""Submission to either store: one transaction that finds, joins or makes a revision of a job."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from core.declaration import Location, Stage
from core.models.submissions import SubmitAnswer
from core.states import JobStatus, Outcome, StageStatus
from tests.factories.engine import ONE_STAGE, TWO_STAGES, EngineStore, id_of, new_job

COG = Location("blob", "silver/a.tif")
ITEM = Location("item", "rasters/a")
PARTLY = (Stage("only", "work_type", "fan_out", on_task_failure="continue"),)


def _complete(store: EngineStore, name: str = "a", **options: object) -> None:
    store.submit(name, **options)
    store.plan([])
    assert store.job(name).status is JobStatus.COMPLETED


def test_a_new_job_is_queued_with_its_stages_and_its_first_plan_task(store: EngineStore) -> None:
    answer = store.submit(stages=TWO_STAGES, priority=7, requested_by="me", sources={"bronze/a": "etag"})

    job = store.job()
    assert answer == SubmitAnswer("created", JobStatus.QUEUED, 1)
    assert (job.job_id, job.job_type, job.priority, job.requested_by) == (id_of("a"), "test_job", 7, "me")
    assert (job.parameters, job.sources) == ({"name": "a"}, {"bronze/a": "etag"})
    assert (job.stage, job.total_stages, job.cleanup, job.progress) == (1, 2, "none", 0.0)
    assert [(s.number, s.name, s.status) for s in job.stages] == [
        (1, "first", StageStatus.PLANNING),
        (2, "second", StageStatus.PENDING),
    ]
    assert [task.kind for task in store.claim()] == ["plan"]


@pytest.mark.parametrize("identity", ["for_ever", "while_active"])
def test_an_active_job_is_joined_whatever_is_asked_for(store: EngineStore, identity: str) -> None:
    store.submit(identity=identity)
    queued = store.submit(identity=identity, rerun=True)
    store.claim_one()
    processing = store.submit(identity=identity)

    assert queued == SubmitAnswer("joined", JobStatus.QUEUED, 1)
    assert processing == SubmitAnswer("joined", JobStatus.PROCESSING, 1)
    assert store.events().count("job.queued") == 1


def test_a_completed_job_stands_for_ever(store: EngineStore) -> None:
    _complete(store)

    assert store.submit() == SubmitAnswer("found", JobStatus.COMPLETED, 1)


def test_a_completed_job_that_stood_while_it_was_active_runs_again(store: EngineStore) -> None:
    _complete(store, identity="while_active")

    assert store.submit(identity="while_active") == SubmitAnswer("created", JobStatus.QUEUED, 2)


@pytest.mark.parametrize(
    ("stages", "outcome", "status"),
    [
        (ONE_STAGE, Outcome.FAILED, JobStatus.FAILED),
        (ONE_STAGE, Outcome.CANCELLED, JobStatus.CANCELLED),
        (PARTLY, Outcome.FAILED, JobStatus.COMPLETED_WITH_ERRORS),
    ],
)
def test_a_job_that_did_not_complete_runs_again(
    store: EngineStore, stages: tuple[Stage, ...], outcome: Outcome, status: JobStatus
) -> None:
    good, bad = store.start(["a", "b"], stages=stages)
    if outcome is Outcome.CANCELLED:
        store.stop()
    store.end(bad, outcome)
    store.cancel_queued()
    store.end(good)
    before = store.job()

    answer = store.submit(stages=stages)

    assert before.status is status
    assert answer == SubmitAnswer("created", JobStatus.QUEUED, 2)


def test_the_next_revision_begins_as_if_nothing_had_been(store: EngineStore) -> None:
    [task] = store.start()
    store.end(task, Outcome.FAILED)
    before = store.job()

    store.submit(stages=TWO_STAGES, priority=9, requested_by="other")

    job = store.job()
    assert before.error is not None
    assert (job.revision, job.status, job.stage, job.total_stages) == (2, JobStatus.QUEUED, 1, 2)
    assert (job.error, job.result, job.stop_to, job.stop_error, job.stop_by) == (None, None, None, None, None)
    assert (job.started_at, job.completed_at, job.cleanup) == (None, None, "none")
    assert (job.priority, job.requested_by, job.created_at) == (9, "other", before.created_at)
    assert [stage.tasks.total for stage in job.stages] == [0, 0]


def test_tasks_of_two_revisions_have_different_ids(store: EngineStore) -> None:
    [first] = store.start()
    store.end(first, Outcome.FAILED)
    [second] = store.start()

    assert (first.key, first.revision) == (second.key, second.revision - 1)
    assert first.task_id != second.task_id
    assert store.end(first).answer == "already"
    assert store.job().status is JobStatus.PROCESSING


def test_a_completed_job_runs_again_if_it_is_asked_to(store: EngineStore) -> None:
    _complete(store)

    assert store.submit(rerun=True, seen_revision=1) == SubmitAnswer("created", JobStatus.QUEUED, 2)


def test_two_that_want_it_to_run_again_get_one_run(store: EngineStore) -> None:
    _complete(store)
    store.submit(rerun=True, seen_revision=1)
    store.plan([])

    late = store.submit(rerun=True, seen_revision=1)

    assert late == SubmitAnswer("found", JobStatus.COMPLETED, 2)


def test_an_unpublished_job_runs_again(store: EngineStore) -> None:
    _complete(store)
    store.tamper.unpublish(id_of("a"))

    answer = store.submit()

    assert answer == SubmitAnswer("created", JobStatus.QUEUED, 2)
    assert store.job().unpublished_at is None


def test_a_superseded_job_runs_again(store: EngineStore) -> None:
    _publish(store, "former")
    _publish(store, "later", replace=True)
    superseded = store.job("former")

    answer = store.submit("former", reservations=[ITEM], replace=True)

    assert superseded.superseded_by == id_of("later")
    assert answer == SubmitAnswer("created", JobStatus.QUEUED, 2)
    assert store.job("former").superseded_by is None


def test_a_stopping_job_is_neither_joined_nor_started(store: EngineStore) -> None:
    store.start()
    store.stop()

    assert store.submit() == SubmitAnswer("stopping", JobStatus.PROCESSING, 1)


def test_the_next_revision_waits_for_the_clean_up(store: EngineStore) -> None:
    store.submit(has_intermediates=True)
    store.plan(["k"])
    store.end(store.claim_one(), Outcome.FAILED)

    pending = store.submit()
    store.end(store.claim_one())
    after = store.submit()

    assert pending == SubmitAnswer("cleaning", JobStatus.FAILED, 1)
    assert after == SubmitAnswer("created", JobStatus.QUEUED, 2)


def test_a_failed_clean_up_blocks_nobody(store: EngineStore) -> None:
    store.submit(has_intermediates=True)
    store.plan(["k"])
    store.end(store.claim_one(), Outcome.FAILED)
    store.end(store.claim_one(), Outcome.FAILED)
    before = store.job()

    answer = store.submit()

    assert before.cleanup == "failed"
    assert answer == SubmitAnswer("created", JobStatus.QUEUED, 2)


def test_a_completed_job_is_found_while_it_is_cleaned_up(store: EngineStore) -> None:
    _complete(store, has_intermediates=True)

    assert store.job().cleanup == "pending"
    assert store.submit() == SubmitAnswer("found", JobStatus.COMPLETED, 1)
    assert store.submit(rerun=True, seen_revision=1).answer == "cleaning"


def test_what_a_job_will_publish_is_reserved(store: EngineStore) -> None:
    store.submit(reservations=[COG, ITEM])

    kept = store.effects.artifacts(id_of("a"), 1)

    assert sorted((a.kind, a.location, a.state, a.role) for a in kept) == [
        ("blob", "silver/a.tif", "reserved", "published"),
        ("item", "rasters/a", "reserved", "published"),
    ]


@pytest.mark.parametrize("replace", [False, True])
def test_a_place_that_another_job_claims_is_owned(store: EngineStore, replace: bool) -> None:
    store.submit("first", reservations=[COG])

    answer = store.submit("second", reservations=[ITEM, COG], replace=replace)

    assert answer == SubmitAnswer("owned", owner=id_of("first"), location=COG.name)
    assert store.jobs.get(id_of("second")) is None
    assert list(store.effects.artifacts(id_of("second"), 1)) == []


def test_a_refused_revision_leaves_the_job_as_it_was(store: EngineStore) -> None:
    [task] = store.start(name="second")
    store.end(task, Outcome.FAILED)
    store.submit("first", reservations=[COG])
    before, history = store.job("second"), store.events("second")

    answer = store.submit("second", reservations=[COG])

    assert answer.answer == "owned"
    assert store.job("second") == before
    assert store.events("second") == history


def test_a_place_where_another_job_is_live_is_owned_unless_it_is_replaced(store: EngineStore) -> None:
    _publish(store, "former")

    refused = store.submit("later", reservations=[ITEM])
    replaced = store.submit("later", reservations=[ITEM], replace=True)

    assert refused == SubmitAnswer("owned", owner=id_of("former"), location=ITEM.name)
    assert replaced.answer == "created"
    assert store.job("former").superseded_by is None


def test_a_place_that_is_a_job_s_own_is_free_for_its_next_revision(store: EngineStore) -> None:
    _publish(store, "a")

    answer = store.submit("a", reservations=[ITEM], rerun=True, seen_revision=1)

    assert answer == SubmitAnswer("created", JobStatus.QUEUED, 2)
    assert [a.state for a in store.effects.artifacts(id_of("a"), 2)] == ["reserved"]


def test_what_was_only_reserved_is_free_when_the_job_has_ended(store: EngineStore) -> None:
    store.submit("first", reservations=[COG])
    store.plan(["k"])
    store.end(store.claim_one(), Outcome.FAILED)

    answer = store.submit("second", reservations=[COG])

    assert [a.state for a in store.effects.artifacts(id_of("first"), 1)] == ["released"]
    assert store.job("first").cleanup == "none"
    assert answer.answer == "created"


def test_one_place_named_twice_is_reserved_once(store: EngineStore) -> None:
    store.submit(reservations=[COG, COG])

    assert len(store.effects.artifacts(id_of("a"), 1)) == 1


def test_of_many_posts_of_one_job_one_creates_it(store: EngineStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: store.submit(reservations=[COG]).answer, range(24)))

    assert sorted(answers) == ["created"] + ["joined"] * 23
    assert store.events() == ["job.queued", "stage.planning"]


def test_of_many_jobs_that_want_one_place_one_gets_it(store: EngineStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda n: store.submit(str(n), reservations=[COG, ITEM]).answer, range(16))
        )

    assert sorted(answers) == ["created"] + ["owned"] * 15


def test_jobs_with_the_same_places_in_opposite_orders_do_not_wait_for_each_other(store: EngineStore) -> None:
    places = [Location("blob", f"silver/{n}.tif") for n in range(20)]

    def submit(number: int) -> str:
        order = places if number % 2 else places[::-1]
        return store.jobs.submit(new_job(str(number), reservations=order)).answer

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(submit, range(16)))

    assert sorted(answers) == ["created"] + ["owned"] * 15


def _publish(store: EngineStore, name: str, **options: object) -> None:
    """Run a job that publishes one item."""
    store.submit(name, reservations=[ITEM], **options)
    store.plan(["k"])
    task = store.claim_one()
    with store.effects.transaction(task) as transaction:
        transaction.publish()
        transaction.complete({})
    assert store.job(name).status is JobStatus.COMPLETED


def test_active_jobs_are_counted_up_to_a_limit(store: EngineStore) -> None:
    _complete(store, "done")
    for name in ("a", "b", "c"):
        store.submit(name)

    assert [store.jobs.count_active(limit) for limit in (2, 10)] == [2, 3]
