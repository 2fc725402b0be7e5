"""orphan_detector: what lost what it belongs to is brought back or goes, in either store."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from core.declaration import PrefixTemplate
from core.ports.blobs import BlobRef, WriteOptions
from core.ports.effects import Artifact
from core.states import JobStatus, Outcome, StageStatus, TaskStatus
from tests.factories.clock import ManualClock
from tests.factories.engine import FAULT, TWO_STAGES, EngineStore, id_of, keys
from tests.factories.janitors import GRACE, Sweeper

A = id_of("a")
LONG = timedelta(minutes=2)
HOUR = timedelta(hours=1)
TEMP = "rmhazuregeotemp"
TEMPLATES = (
    PrefixTemplate(TEMP, "temp/vector_etl/{job_id}/"),
    PrefixTemplate("silver-mosaicjson", "{job_id[:8]}/tiles/"),
)

Put = Callable[[str], BlobRef]


@pytest.fixture
def sweeper(store: EngineStore) -> Sweeper:
    """A janitor in whose store every blob is three days old."""
    now = store.runs.states()[0].now
    return Sweeper(store, ManualClock(now - timedelta(days=3)), TEMPLATES)


@pytest.fixture
def put(sweeper: Sweeper, tmp_path: Path) -> Put:
    """Write a blob of five bytes, ``container/name``."""

    def write(location: str) -> BlobRef:
        container, _, name = location.partition("/")
        file = tmp_path / "blob"
        file.write_bytes(b"12345")
        sweeper.blobs.ensure_container(container)
        return sweeper.blobs.upload(file, BlobRef(container, name), WriteOptions()).ref

    return write


def names(sweeper: Sweeper, container: str) -> list[str]:
    return [blob.ref.name for blob in sweeper.blobs.list_blobs(container)]


def test_a_healthy_job_is_left_alone(store: EngineStore, sweeper: Sweeper) -> None:
    store.submit("waiting")
    store.start(keys(2))
    store.advance(LONG)

    assert sweeper.run("orphan_detector").fixed == 0


def test_a_queued_job_without_a_task_is_planned_again(store: EngineStore, sweeper: Sweeper) -> None:
    store.submit()
    store.tamper.forget_tasks(A)
    store.advance(LONG)

    actions = sweeper.actions("orphan_detector")

    assert actions == {"planned again": [A]}
    assert store.plan(["k"]).answers == ()
    store.end(store.claim_one())
    assert store.job().status is JobStatus.COMPLETED


def test_a_job_between_two_stages_whose_plan_is_lost_is_planned_again(
    store: EngineStore, sweeper: Sweeper
) -> None:
    [first] = store.start(stages=TWO_STAGES)
    store.end(first)
    [plan] = store.claim()
    store.wreckage.lose_task(plan.task_id)
    store.advance(LONG)

    actions = sweeper.actions("orphan_detector")

    assert actions == {"planned again": [A]}
    assert store.plan(["k"]).answers == ()
    assert [result.key for result in store.tasks.results(A, 1, 1, "", 10)] == ["k"]


def test_a_plan_that_failed_unseen_fails_its_job(store: EngineStore, sweeper: Sweeper) -> None:
    store.submit()
    plan = store.claim_one()
    failed = {"status": "failed", "error": FAULT, "worker": None, "lease_until": None}
    store.wreckage.change_task(plan.task_id, **failed, completed_at=store.job().updated_at)
    store.advance(LONG)

    sweeper.run("orphan_detector")

    assert (store.job().status, store.job().error) == (JobStatus.FAILED, FAULT | {"task_id": plan.task_id})


def test_a_plan_that_was_written_and_not_begun_begins(store: EngineStore, sweeper: Sweeper) -> None:
    store.submit()
    store.plan(keys(2))
    store.wreckage.change_stage(A, 1, status="planning")
    store.wreckage.change_job(A, status="queued")
    store.end_all(store.claim())
    store.advance(LONG)

    sweeper.run("orphan_detector")
    sweeper.run("job_health")

    assert store.job().status is JobStatus.COMPLETED


def test_a_job_without_stages_fails(store: EngineStore, sweeper: Sweeper) -> None:
    store.submit()
    store.tamper.forget_tasks(A)
    store.wreckage.lose_stages(A)
    store.advance(LONG)

    sweeper.run("orphan_detector")

    job = store.job()
    assert job.status is JobStatus.FAILED
    assert job.error == {
        "code": "job.tasks_missing",
        "message": "Nothing is left of the stages of the job.",
    }


def test_a_processing_job_whose_tasks_are_all_gone_fails(store: EngineStore, sweeper: Sweeper) -> None:
    store.start(keys(3))
    store.tamper.forget_tasks(A)
    store.advance(LONG)

    sweeper.run("orphan_detector")

    job = store.job()
    assert (job.status, job.stages[0].status) == (JobStatus.FAILED, StageStatus.FAILED)
    assert job.error is not None
    assert job.error["message"] == "Stage 1 has 0 of the 3 tasks that were planned."


def test_open_tasks_of_an_ended_job_are_cancelled(store: EngineStore, sweeper: Sweeper) -> None:
    store.submit()
    store.plan(keys(3))
    running = store.claim_one()
    store.wreckage.change_job(A, status="failed", completed_at=store.job().updated_at)
    store.advance(LONG)

    actions = sweeper.actions("orphan_detector")

    assert len(actions["cancelled stray tasks"]) == 3
    assert store.task(running).status is TaskStatus.CANCELLED
    assert store.beat(running)[0].answer == "lost"
    assert store.end(running).outcome == "cancelled"
    assert store.claim() == []


def test_a_task_without_a_job_goes(store: EngineStore, sweeper: Sweeper) -> None:
    [task] = store.start()
    store.wreckage.lose_job(A)
    store.advance(LONG)

    actions = sweeper.actions("orphan_detector")

    assert actions["removed tasks without a job"] == [task.task_id]
    assert store.tasks.get(task.task_id) is None


def test_a_failed_clean_up_is_tried_again_and_each_time_later(store: EngineStore, sweeper: Sweeper) -> None:
    [task] = store.start(stages=TWO_STAGES)
    store.effects.begin_artifact(task, Artifact("blob", f"{TEMP}/temp/x/1", "intermediate"))
    store.end(task, Outcome.FAILED)
    store.end(store.claim_one(), Outcome.FAILED)
    failed = store.job().cleanup
    store.advance(LONG)

    first = sweeper.actions("orphan_detector")
    at_once = sweeper.run("orphan_detector").fixed
    again = store.claim_one()
    store.end(again, Outcome.FAILED)
    store.advance(timedelta(seconds=90))
    too_early = sweeper.run("orphan_detector").fixed
    store.advance(LONG)
    second = sweeper.actions("orphan_detector")
    store.end(store.claim_one())

    assert (failed, first, at_once) == ("failed", {"queued clean-ups again": [A]}, 0)
    assert (again.kind, again.key, again.revision) == ("cleanup", "cleanup.2", 1)
    assert (too_early, second) == (0, {"queued clean-ups again": [A]})
    assert store.job().cleanup == "done"


def test_a_pending_clean_up_without_a_task_gets_one(store: EngineStore, sweeper: Sweeper) -> None:
    store.submit(has_intermediates=True)
    store.plan([])
    clean_up = store.claim_one()
    store.wreckage.lose_task(clean_up.task_id)
    store.advance(LONG)

    sweeper.run("orphan_detector")
    store.end(store.claim_one())

    assert store.job().cleanup == "done"


def test_an_output_left_half_written_by_an_ended_job_is_cleaned_up_after_the_grace_period(
    store: EngineStore, sweeper: Sweeper
) -> None:
    location = "silver-cogs/a_cog.tif"
    [task] = store.start()
    store.end(task)
    store.submit("other")
    store.plan(["k"])
    other = store.claim_one()
    store.effects.begin_artifact(other, Artifact("blob", location, "published"))
    store.wreckage.change_artifact(location, job_id=A)
    store.advance(GRACE - HOUR)
    early = [r for r in sweeper.actions("orphan_detector") if r == "queued clean-ups again"]
    store.advance(2 * HOUR)

    actions = sweeper.actions("orphan_detector")

    assert early == []
    assert actions["queued clean-ups again"] == [A]


def test_what_an_ended_job_only_reserved_is_released(store: EngineStore, sweeper: Sweeper) -> None:
    [task] = store.start()
    location = "silver-cogs/a_cog.tif"
    store.effects.begin_artifact(task, Artifact("blob", location, "published"))
    store.wreckage.change_artifact(location, state="reserved")
    store.wreckage.change_job(A, status="failed", completed_at=store.job().updated_at)
    store.advance(LONG)

    actions = sweeper.actions("orphan_detector")

    assert actions["released reservations"] == [location]
    assert store.wreckage.artifact_state(location) == "released"


@pytest.mark.parametrize("name", ["a", "b"])
def test_blobs_of_an_ended_job_go_after_the_grace_period(
    store: EngineStore, sweeper: Sweeper, put: Put, name: str
) -> None:
    [task] = store.start(name=name)
    prefix = f"temp/vector_etl/{id_of(name)}/"
    put(f"{TEMP}/{prefix}chunk_1.parquet")
    store.end(task)
    put(f"{TEMP}/{prefix}late.parquet")
    store.advance(GRACE - HOUR)
    early = sweeper.run("orphan_detector").fixed
    store.advance(2 * HOUR)

    run = sweeper.run("orphan_detector")

    [action] = run.actions
    assert early == 0
    assert (action["action"], action["number"]) == ("deleted intermediate blobs", 2)
    assert (action["prefix"], action["nbytes"]) == (f"{TEMP}/{prefix}", 10)
    assert names(sweeper, TEMP) == []


def test_blobs_of_active_and_of_unknown_jobs_stay(store: EngineStore, sweeper: Sweeper, put: Put) -> None:
    store.start()
    put(f"{TEMP}/temp/vector_etl/{A}/chunk_1.parquet")
    put(f"{TEMP}/temp/vector_etl/{id_of('unknown')}/chunk_1.parquet")
    put(f"{TEMP}/temp/vector_etl/readme/chunk_1.parquet")
    store.advance(2 * GRACE)

    sweeper.run("orphan_detector")

    assert len(names(sweeper, TEMP)) == 3


def test_jobs_whose_ids_begin_alike_do_not_lose_each_others_tiles(
    store: EngineStore, sweeper: Sweeper, put: Put
) -> None:
    twin = A[:8] + id_of("twin")[8:]
    [task] = store.start()
    store.submit("twin", job_id=twin)
    put(f"silver-mosaicjson/{A[:8]}/tiles/1.tif")
    put("silver-mosaicjson/a_mosaic.json")
    store.end(task)
    store.advance(2 * GRACE)
    sweeper.run("orphan_detector")
    while_live = names(sweeper, "silver-mosaicjson")

    store.plan([])
    store.advance(2 * GRACE)
    sweeper.run("orphan_detector")

    assert while_live == ["a_mosaic.json", f"{A[:8]}/tiles/1.tif"]
    assert names(sweeper, "silver-mosaicjson") == ["a_mosaic.json"]


def test_blobs_are_deleted_in_batches(
    store: EngineStore, sweeper: Sweeper, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.orphans._DELETIONS", 2)
    [task] = store.start()
    for number in range(5):
        put(f"{TEMP}/temp/vector_etl/{A}/chunk_{number}.parquet")
    store.end(task)
    store.advance(2 * GRACE)

    assert sweeper.run("orphan_detector").fixed == 5
