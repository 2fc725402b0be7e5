"""prune: rows of what ended long ago go in batches, in either store; the rest stays."""

from datetime import timedelta
from pathlib import Path

import pytest

from core.ports.blobs import BlobRef, WriteOptions
from core.ports.effects import Artifact
from core.ports.engine import TaskFilter
from core.ports.janitor import RunFilter
from core.publishing import parse_location
from core.states import JobStatus, Outcome
from tests.factories.engine import EngineStore, id_of, keys
from tests.factories.janitors import TEMP, Sweeper

A = id_of("a")
LONG_AGO = timedelta(days=91)


@pytest.fixture
def sweeper(store: EngineStore) -> Sweeper:
    return Sweeper(store)


def test_tasks_and_events_of_a_job_that_ended_long_ago_go_and_the_job_stays(
    store: EngineStore, sweeper: Sweeper
) -> None:
    store.end_all(store.start(keys(3)))
    store.advance(LONG_AGO)

    run = sweeper.run("prune")

    job = store.job()
    assert {action["action"] for action in run.actions} == {"removed tasks and events"}
    assert store.tasks.list_tasks(A, TaskFilter(), 10, None) == []
    assert store.events() == []
    assert (job.status, job.stages[0].tasks.completed) == (JobStatus.COMPLETED, 3)
    assert sweeper.run("prune").fixed == 0


def test_what_is_younger_or_active_stays(store: EngineStore, sweeper: Sweeper) -> None:
    store.start(keys(2), name="active")
    store.advance(LONG_AGO)
    store.end_all(store.start(keys(2)))
    store.advance(timedelta(days=89))

    assert sweeper.run("prune").fixed == 0
    assert store.events()
    assert store.events("active")


def test_former_revisions_of_a_job_that_runs_again_and_again_go(store: EngineStore, sweeper: Sweeper) -> None:
    [first] = store.start()
    store.end(first, Outcome.FAILED)
    store.advance(LONG_AGO)
    store.submit()
    store.plan(["k"])

    sweeper.run("prune")

    assert store.tasks.get(first.task_id) is None
    assert store.events() == [
        "job.queued",
        "stage.planning",
        "job.processing",
        "task.completed",
        "stage.processing",
    ]
    store.end(store.claim_one())
    assert store.job().status is JobStatus.COMPLETED


def test_rows_go_in_batches(store: EngineStore, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.prune._ROWS", 3)
    for name in ("a", "b"):
        store.end_all(store.start(keys(5), name=name))
    store.advance(LONG_AGO)

    sweeper.run("prune")

    assert store.events("a") + store.events("b") == []


def test_a_pruned_job_can_run_again_and_is_pruned_again(store: EngineStore, sweeper: Sweeper) -> None:
    [task] = store.start()
    store.end(task, Outcome.FAILED)
    store.advance(LONG_AGO)
    sweeper.run("prune")
    store.submit()
    store.plan(["k"])
    store.end(store.claim_one())
    kept = len(store.events())
    store.advance(LONG_AGO)

    sweeper.run("prune")

    assert kept
    assert store.events() == []


def test_records_of_sweeps_go_as_well(store: EngineStore, sweeper: Sweeper) -> None:
    old = sweeper.run("job_health")
    store.advance(LONG_AGO)

    sweeper.run("prune")

    runs = store.runs.runs(RunFilter(), 10, None)
    assert old.run_id not in [run.run_id for run in runs]
    assert [run.run_type for run in runs] == ["prune"]


def report(sweeper: Sweeper, name: str, folder: Path) -> Artifact:
    """Let a job publish a report in the temp container."""
    store, ref = sweeper.store, BlobRef(TEMP, f"audits/{id_of(name)}/1.jsonl")
    artifact = Artifact("blob", str(ref), "published")
    [task] = store.start(name=name)
    source = folder / "report"
    source.write_text("{}")
    sweeper.blobs.ensure_container(TEMP)
    store.effects.begin_artifact(task, artifact)
    written = sweeper.blobs.upload(source, ref, WriteOptions())
    store.effects.record_artifact(task, artifact, written.etag, written.nbytes, None)
    with store.effects.transaction(task) as transaction:
        transaction.publish()
        transaction.complete({})
    return artifact


def test_reports_of_audits_go_with_the_tasks_and_events_of_their_jobs(
    store: EngineStore, sweeper: Sweeper, tmp_path: Path
) -> None:
    old = [report(sweeper, name, tmp_path) for name in ("a", "b", "c")]
    # One was deleted by hand, and one replaced by somebody.
    sweeper.blobs.delete(parse_location(old[1].location))
    replaced = parse_location(old[2].location)
    sweeper.blobs.upload(tmp_path / "report", replaced, WriteOptions())
    store.advance(LONG_AGO)
    young = report(sweeper, "d", tmp_path)

    actions = sweeper.actions("prune")

    assert set(actions["removed reports of audits"]) == {artifact.location for artifact in old}
    kept = {str(found.ref) for found in sweeper.blobs.list_blobs(TEMP)}
    assert kept == {str(replaced), young.location}
    assert [store.effects.live_artifact("blob", artifact.location) for artifact in old] == [None] * 3
    assert store.effects.live_artifact("blob", young.location) is not None
    assert "removed reports of audits" not in sweeper.actions("prune")
