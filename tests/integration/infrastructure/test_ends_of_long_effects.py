"""A task that ends in the transaction of a long load has ended when it says so, not when the load began."""

from datetime import UTC, datetime

from core.models.tables import TableName
from tests.factories.engine import TWO_STAGES, EngineStore


def test_task_stage_and_job_end_when_that_is_said(crowd: list[EngineStore]) -> None:
    store = crowd[0]
    [task] = store.start()

    with store.effects.transaction(task) as transaction:
        transaction.tables.drop(TableName("vector_staging", "not_there"))
        during = datetime.now(UTC)
        transaction.complete({})

    job = store.job()
    ends = [store.task(task).completed_at, job.stages[0].completed_at, job.completed_at]
    assert all(end is not None and end >= during for end in ends), ends


def test_the_next_stage_begins_when_the_last_one_ends(crowd: list[EngineStore]) -> None:
    store = crowd[0]
    [task] = store.start(stages=TWO_STAGES)

    with store.effects.transaction(task) as transaction:
        transaction.tables.drop(TableName("vector_staging", "not_there"))
        during = datetime.now(UTC)
        transaction.complete({})

    first, second = store.job().stages
    assert first.completed_at is not None
    assert second.started_at is not None
    assert during <= first.completed_at <= second.started_at
