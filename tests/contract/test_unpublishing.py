"""What takes published data back, in memory and in PostgreSQL."""

from contextlib import suppress
from datetime import timedelta

import pytest

from core import codes
from core.declaration import Location
from core.errors import Conflict
from core.models.claims import ClaimedTask
from core.models.unpublished import Claimed, Removal, UnpublishedJob, Withdrawal, audit_id
from core.ports.effects import Artifact
from core.ports.unpublishing import UnpublishedFilter
from tests.factories.engine import EngineStore, id_of

PLACE = "silver-cogs/dem_cog.tif"
TRASH = "silver-cogs/trash/x/1/dem_cog.tif"
GRACE = timedelta(days=7)


def publish(store: EngineStore, name: str = "publisher", place: str = PLACE) -> None:
    """Run a job that publishes one blob."""
    [task] = store.start(name=name)
    write(store, task, place, "etag-1")
    with store.effects.transaction(task) as transaction:
        transaction.publish()
        transaction.complete({})


def write(store: EngineStore, task: ClaimedTask, place: str, etag: str) -> None:
    artifact = Artifact("blob", place, "published")
    store.effects.begin_artifact(task, artifact)
    store.effects.record_artifact(task, artifact, etag, 10, "1220aa")


def withdrawal(task: ClaimedTask, grace: timedelta | None = GRACE) -> Withdrawal:
    moved_to = TRASH if grace is not None else None
    blob = {"location": PLACE, "nbytes": 10, "etag": "etag-1", "checksum": None, "moved_to": moved_to}
    table = {"table": "geo.roads", "rows": 3, "moved_to": "vector_trash.roads"}
    view = {"table": "geo.road_names", "rows": None, "moved_to": "vector_trash.road_names"}
    return Withdrawal(
        audit_id=audit_id(task.job_id, task.revision, "dem/tile"),
        collection_id="dem",
        item_id="tile",
        original_job_id=id_of("publisher"),
        artifacts_deleted={"blobs": [blob], "tables": [table, view], "kept": []},
        collection_deleted=False,
        item={"id": "tile"},
        collection=None,
        grace=grace,
    )


def unpublish(
    store: EngineStore, name: str = "remover", grace: timedelta | None = GRACE, *, cleans_up: bool = True
) -> UnpublishedJob:
    """Run a job that removes that blob and keeps a copy for a while, and the clean-up after it."""
    [task] = store.start(name=name)
    with store.effects.transaction(task) as transaction:
        transaction.unpublishing.reserve([Removal(0, "blob", PLACE, 10, "etag-1")])
    if grace is not None:
        write(store, task, TRASH, "etag-2")
    with store.effects.transaction(task) as transaction:
        transaction.unpublishing.withdraw([withdrawal(task, grace)])
        transaction.publish()
        transaction.complete({})
    record = store.unpublishing.get(audit_id(task.job_id, task.revision, "dem/tile"))
    assert record is not None
    if cleans_up:
        [cleanup] = store.claim()
        [removed] = [one for one in store.effects.artifacts(task.job_id, 1) if one.location == PLACE]
        store.effects.close_artifact(cleanup, removed, "deleted")
        store.end(cleanup)
    return record


def states(store: EngineStore, name: str) -> dict[str, tuple[str, str]]:
    return {
        record.location: (record.role, record.state)
        for record in store.effects.artifacts(id_of(name), store.job(name).revision)
    }


def test_owners_and_publications_are_told(store: EngineStore) -> None:
    publish(store)

    owners = store.unpublishing.owners("blob", [PLACE, "silver-cogs/nobody.tif"])

    assert {place: (owner.job_id, owner.etag) for place, owner in owners.items()} == {
        PLACE: (id_of("publisher"), "etag-1")
    }
    assert list(store.unpublishing.published_by(id_of("publisher"), "blob")) == [PLACE]


def test_a_place_that_another_job_writes_is_not_reserved(store: EngineStore) -> None:
    [writer] = store.start(name="writer")
    write(store, writer, PLACE, "etag-0")
    [task] = store.start(name="remover")

    claimed = None

    with suppress(LookupError), store.effects.transaction(task) as transaction:
        removals = [Removal(0, "blob", "silver-cogs/other.tif", 1, "e"), Removal(0, "blob", PLACE, 10, "e")]
        claimed = transaction.unpublishing.reserve(removals)
        raise LookupError

    assert claimed == Claimed(PLACE, id_of("writer"))
    assert states(store, "remover") == {}


def test_what_is_reserved_can_be_listed_and_keeps_others_from_writing(store: EngineStore) -> None:
    [task] = store.start(name="remover")
    with store.effects.transaction(task) as transaction:
        reserved = transaction.unpublishing.reserve(
            [Removal(0, "item", "dem/tile"), Removal(0, "blob", PLACE, 10, "etag-1", "1220aa")]
        )
    assert not isinstance(reserved, Claimed)
    numbers = [removal.number for removal in reserved]

    listed = store.unpublishing.removals(task.job_id, task.revision, min(numbers), max(numbers))
    answer = store.submit("late", reservations=(Location("item", "dem/tile"),))

    assert sorted(listed, key=lambda one: one.number) == sorted(reserved, key=lambda one: one.number)
    assert (answer.answer, answer.owner) == ("owned", task.job_id)


def test_reserving_twice_is_reserving_once(store: EngineStore) -> None:
    [task] = store.start(name="remover")
    removal = Removal(0, "blob", PLACE, 10, "etag-1")

    for _ in range(2):
        with store.effects.transaction(task) as transaction:
            transaction.unpublishing.reserve([removal])

    assert states(store, "remover") == {PLACE: ("intermediate", "reserved")}


def test_a_run_that_fails_leaves_everything_with_its_owner(store: EngineStore) -> None:
    publish(store)
    [task] = store.start(name="remover")
    with store.effects.transaction(task) as transaction:
        transaction.unpublishing.reserve([Removal(0, "blob", PLACE, 10, "etag-1")])

    store.stop("remover")
    store.end_all([task])

    assert states(store, "remover") == {PLACE: ("intermediate", "released")}
    assert states(store, "publisher") == {PLACE: ("published", "live")}
    assert store.job("publisher").unpublished_at is None


def test_a_withdrawal_is_audited_and_leaves_the_blob_to_the_clean_up(store: EngineStore) -> None:
    publish(store)

    record = unpublish(store, cleans_up=False)

    assert states(store, "publisher") == {PLACE: ("published", "deleted")}
    assert states(store, "remover") == {PLACE: ("intermediate", "writing"), TRASH: ("published", "live")}
    assert store.job("remover").cleanup == "pending"
    assert store.job("publisher").unpublished_at is not None
    assert (record.original_job_id, record.original_job_type) == (id_of("publisher"), "test_job")
    assert (record.original_parameters, record.original_revision) == ({"name": "publisher"}, 1)
    assert (record.unpublish_job_id, record.collection_id, record.stac_item_id) == (
        id_of("remover"),
        "dem",
        "tile",
    )
    assert [blob.moved_to for blob in record.blobs] == [TRASH]
    assert record.purge_after is not None
    assert record.unpublished_at is not None
    assert record.purge_after - record.unpublished_at == GRACE


def test_an_unpublished_job_runs_again(store: EngineStore) -> None:
    publish(store)
    unpublish(store)

    assert (store.submit("publisher").answer, store.job("publisher").revision) == ("created", 2)


def test_records_are_listed_newest_first_by_what_they_are_of(store: EngineStore) -> None:
    publish(store)
    first = unpublish(store)
    store.advance(timedelta(minutes=1))
    second = unpublish(store, "again", grace=None)

    def ids(where: UnpublishedFilter, limit: int = 10) -> list[str]:
        return [record.id for record in store.unpublishing.list_unpublished(where, limit, None)]

    [newest] = store.unpublishing.list_unpublished(UnpublishedFilter(), 1, None)
    assert newest.unpublished_at is not None
    behind = store.unpublishing.list_unpublished(UnpublishedFilter(), 10, (newest.unpublished_at, newest.id))
    assert ids(UnpublishedFilter()) == [second.id, first.id]
    assert [record.id for record in behind] == [first.id]
    assert ids(UnpublishedFilter(restorable=True)) == [first.id]
    assert ids(UnpublishedFilter(unpublish_job_id=id_of("again"))) == [second.id]
    assert ids(UnpublishedFilter(collection_id="other")) == []


def test_a_restoration_gives_everything_back_and_the_trash_to_the_clean_up(store: EngineStore) -> None:
    publish(store)
    record = unpublish(store)
    [task] = store.start(name="restorer")
    write(store, task, PLACE, "etag-3")

    with store.effects.transaction(task) as transaction:
        transaction.publish()
        transaction.unpublishing.restore(record)
        transaction.complete({})

    live = store.effects.live_artifact("blob", PLACE)
    assert live is not None
    assert (live.job_id, live.etag) == (id_of("publisher"), "etag-3")
    for kind, location in (("item", "dem/tile"), ("table", "geo.roads")):
        owner = store.effects.live_artifact(kind, location)
        assert owner is not None
        assert owner.job_id == id_of("publisher")
    assert states(store, "restorer") == {TRASH: ("intermediate", "writing")}
    assert store.job("publisher").unpublished_at is None
    restored = store.unpublishing.get(record.id)
    assert restored is not None
    assert (restored.restored_by, restored.purged_at) == (id_of("restorer"), None)


def test_a_record_is_restored_once(store: EngineStore) -> None:
    publish(store)
    record = unpublish(store)
    [first] = store.start(name="restorer")
    with store.effects.transaction(first) as transaction:
        transaction.unpublishing.restore(record)
        transaction.complete({})
    store.end_all(store.claim())
    [second] = store.start(name="late")

    with pytest.raises(Conflict) as caught, store.effects.transaction(second) as transaction:
        transaction.unpublishing.restore(record)

    assert caught.value.code is codes.UNPUBLISH_NOT_RESTORABLE


def test_the_trash_is_overdue_after_its_grace_and_purged_once(store: EngineStore) -> None:
    publish(store)
    record = unpublish(store)
    early = store.unpublishing.overdue(10)
    store.advance(GRACE + timedelta(minutes=1))

    overdue = store.unpublishing.overdue(10)
    store.unpublishing.purge(record)
    store.unpublishing.purge(record)

    assert (list(early), [one.id for one in overdue]) == ([], [record.id])
    assert list(store.unpublishing.overdue(10)) == []
    assert states(store, "remover")[TRASH] == ("published", "deleted")
    purged = store.unpublishing.get(record.id)
    assert purged is not None
    assert purged.purged_at is not None


def test_what_went_at_once_is_never_overdue(store: EngineStore) -> None:
    publish(store)
    unpublish(store, grace=None)
    store.advance(timedelta(days=400))

    assert list(store.unpublishing.overdue(10)) == []
