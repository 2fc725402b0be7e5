"""Tables under the fence: with the task's end, or not at all."""

from pathlib import Path

import pytest

from core.models.tables import TableName
from core.ports.effects import Artifact
from core.ports.engine import FenceLost
from core.states import Outcome, TaskStatus
from tests.factories.engine import EngineStore
from tests.factories.vectors import PLACES, STAGED, place_chunk


def test_rows_and_the_end_of_their_task_come_together(store: EngineStore, tmp_path: Path) -> None:
    store_table = TableName("vector_staging", "together")
    first, second = store.start(["a", "b"])
    with store.effects.transaction(first) as transaction:
        transaction.tables.create(store_table, PLACES)

    with store.effects.transaction(first) as transaction:
        transaction.tables.load(store_table, place_chunk(tmp_path))
        transaction.complete({"rows": 3})

    with store.effects.transaction(second) as transaction:
        rows = transaction.tables.count_rows(store_table)
        transaction.tables.drop(store_table)
    assert rows == 3
    assert store.task(first).status is TaskStatus.COMPLETED


def test_an_overtaken_claim_leaves_no_row(store: EngineStore, tmp_path: Path) -> None:
    first, second = store.start(["a", "b"])
    with store.effects.transaction(second) as transaction:
        transaction.tables.create(STAGED, PLACES)
    store.end(first, Outcome.RETRY)

    with pytest.raises(FenceLost), store.effects.transaction(first) as transaction:
        transaction.tables.load(STAGED, place_chunk(tmp_path))

    with store.effects.transaction(second) as transaction:
        rows = transaction.tables.count_rows(STAGED)
        transaction.tables.drop(STAGED)
    assert rows == 0


def test_a_reserved_table_is_live_with_its_publication(store: EngineStore) -> None:
    table = TableName("geo", "reserved")
    store.submit(reservations=(table.location,))
    store.plan(["k"])
    [task] = store.claim()
    store.effects.begin_artifact(task, Artifact("table", str(STAGED), "intermediate"))
    with store.effects.transaction(task) as transaction:
        transaction.tables.create(STAGED, PLACES)

    with store.effects.transaction(task) as transaction:
        transaction.publish()
        transaction.tables.publish(STAGED, table, replace=False)
        transaction.complete({})

    live = store.effects.live_artifact("table", str(table))
    staged = [one for one in store.effects.artifacts(task.job_id, 1) if one.location == str(STAGED)]
    assert live is not None
    assert live.job_id == task.job_id
    assert [(one.state, one.role) for one in staged] == [("writing", "intermediate")]
