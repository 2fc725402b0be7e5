"""Effects in either store: under the fence, applied together, each place with one owner."""

from collections.abc import Callable
from itertools import count

import pytest

from core.declaration import Location
from core.models.claims import ClaimedTask
from core.ports.effects import Artifact, ArtifactRecord, WriteIntent
from core.ports.engine import FenceLost, JobStopping
from core.states import JobStatus, Outcome
from tests.factories.engine import LEASE, TWO_STAGES, EngineStore, id_of, keys
from tests.factories.stac import collection, item

COG = Artifact("blob", "silver/a.tif", "published")
ASIDE = Artifact("blob", "temp/a.tif", "intermediate", target="silver/a.tif")
ITEM = Location("item", "rasters/a")

_NUMBERS = count(1)


def _overtake(store: EngineStore, task: ClaimedTask) -> ClaimedTask:
    """Let another worker have the task."""
    store.advance(2 * LEASE)
    store.tasks.rescue(10)
    return store.claim_one()


def _states(store: EngineStore, name: str = "a", revision: int = 1) -> list[tuple[str, str]]:
    return [(a.location, a.state) for a in store.effects.artifacts(id_of(name), revision)]


def _write(store: EngineStore, task: ClaimedTask, etag: str, artifact: Artifact = COG) -> None:
    assert store.effects.begin_artifact(task, artifact).owner is None
    store.effects.record_artifact(task, artifact, etag, 10, None)


def _publish(store: EngineStore, task: ClaimedTask) -> None:
    with store.effects.transaction(task) as transaction:
        transaction.publish()
        transaction.complete({})


def _published(store: EngineStore, name: str, etag: str, **options: object) -> None:
    """Run a job to its end that publishes the COG."""
    store.submit(name, reservations=[Location("blob", COG.location)], **options)
    store.plan(["k"])
    task = store.claim_one()
    _write(store, task, etag)
    _publish(store, task)
    assert store.job(name).status is JobStatus.COMPLETED


class TestTransactions:
    """What applies together, or not at all."""

    def test_an_effect_may_end_its_task(self, store: EngineStore) -> None:
        [task] = store.start()

        with store.effects.transaction(task) as transaction:
            transaction.complete({"n": 1})

        assert transaction.ended is not None
        assert [answer.answer for answer in transaction.ended.answers] == ["ended"]
        assert store.job().result == {"n": 1}

    def test_an_effect_tells_what_the_end_of_its_task_asks_for(self, store: EngineStore) -> None:
        [task] = store.start(stages=TWO_STAGES)

        with store.effects.transaction(task) as transaction:
            transaction.complete({})

        assert transaction.ended is not None
        assert [follow.action for follow in transaction.ended.follow_ups] == ["ring"]
        assert store.job().stage == 2

    def test_an_effect_that_leaves_its_task_running_has_ended_nothing(self, store: EngineStore) -> None:
        [task] = store.start()

        with store.effects.transaction(task) as transaction:
            pass

        assert transaction.ended is None
        assert store.statuses([task]) == ["processing"]

    def test_what_is_written_with_the_fence_is_there(self, store: EngineStore) -> None:
        [task] = store.start()
        name = f"effects-{next(_NUMBERS)}"

        with store.effects.transaction(task) as transaction:
            transaction.catalogue.ensure_collection(collection(name))
            transaction.catalogue.upsert_items([item("i", name)])

        assert store.catalogue.count_items(name) == 1

    @pytest.mark.parametrize("completes", [False, True])
    def test_what_is_written_under_a_lost_fence_is_not(self, store: EngineStore, completes: bool) -> None:
        [late] = store.start()
        other = _overtake(store, late)
        name = f"effects-{next(_NUMBERS)}"

        def write() -> None:
            with store.effects.transaction(late) as transaction:
                transaction.catalogue.ensure_collection(collection(name))
                if completes:
                    transaction.complete({})

        with pytest.raises(FenceLost):
            write()

        assert store.catalogue.get_collection(name) is None
        assert store.statuses([other]) == ["processing"]

    def test_an_effect_that_breaks_leaves_nothing(self, store: EngineStore) -> None:
        [task] = store.start()
        name = f"effects-{next(_NUMBERS)}"

        def write() -> None:
            with store.effects.transaction(task) as transaction:
                transaction.catalogue.ensure_collection(collection(name))
                transaction.complete({})
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write()

        assert store.catalogue.get_collection(name) is None
        assert store.statuses([task]) == ["processing"]

    def test_an_effect_ends_its_task_once(self, store: EngineStore) -> None:
        first, _ = store.start(keys(2))
        with store.effects.transaction(first) as transaction:
            transaction.complete({})

        with pytest.raises(FenceLost), store.effects.transaction(first) as again:
            again.complete({})

        assert store.job().stages[0].tasks.completed == 1

    def test_a_stopped_job_s_running_task_may_still_complete(self, store: EngineStore) -> None:
        [task] = store.start()
        store.stop()

        with store.effects.transaction(task) as transaction:
            transaction.complete({})

        assert store.job().status is JobStatus.CANCELLED

    @pytest.mark.parametrize("completes", [True, False])
    def test_a_stopped_job_publishes_nothing_any_more(self, store: EngineStore, completes: bool) -> None:
        [task] = store.start()
        _write(store, task, "etag")
        store.stop()

        def publish() -> None:
            with store.effects.transaction(task) as transaction:
                transaction.publish()
                if completes:
                    transaction.complete({})

        with pytest.raises(JobStopping):
            publish()

        assert _states(store) == [(COG.location, "writing")]
        assert store.statuses([task]) == ["processing"]
        assert store.effects.live_artifact("blob", COG.location) is None


class TestArtifacts:
    """Intent before effect, one claimant and one owner."""

    def test_an_intent_is_recorded_before_the_effect(self, store: EngineStore) -> None:
        [task] = store.start()

        intent = store.effects.begin_artifact(task, ASIDE)

        assert intent == WriteIntent()
        assert store.effects.artifacts(id_of("a"), 1) == [
            ArtifactRecord(
                "blob", "temp/a.tif", id_of("a"), 1, "intermediate", "writing", target="silver/a.tif"
            )
        ]

    def test_what_was_written_is_recorded(self, store: EngineStore) -> None:
        [task] = store.start()
        store.effects.begin_artifact(task, COG)

        store.effects.record_artifact(task, COG, "etag", 123, "1220ab")

        [found] = store.effects.artifacts(id_of("a"), 1)
        assert (found.state, found.etag, found.nbytes, found.checksum) == ("writing", "etag", 123, "1220ab")

    def test_a_later_claim_learns_what_an_earlier_one_wrote(self, store: EngineStore) -> None:
        [task] = store.start()
        _write(store, task, "first")
        again = _overtake(store, task)

        assert store.effects.begin_artifact(again, COG) == WriteIntent(etag="first")
        assert len(_states(store)) == 1

    @pytest.mark.parametrize("act", ["begin", "record", "close"])
    def test_a_lost_fence_records_nothing(self, store: EngineStore, act: str) -> None:
        [late] = store.start()
        _write(store, late, "first")
        [record] = store.effects.artifacts(id_of("a"), 1)
        _overtake(store, late)

        acts: dict[str, Callable[[], object]] = {
            "begin": lambda: store.effects.begin_artifact(late, ASIDE),
            "record": lambda: store.effects.record_artifact(late, COG, "late", 1, None),
            "close": lambda: store.effects.close_artifact(late, record, "deleted"),
        }
        with pytest.raises(FenceLost):
            acts[act]()

        assert store.effects.artifacts(id_of("a"), 1) == [record]

    def test_a_reservation_becomes_the_write(self, store: EngineStore) -> None:
        store.submit(reservations=[Location("blob", COG.location)])
        store.plan(["k"])

        store.effects.begin_artifact(store.claim_one(), COG)

        assert _states(store) == [(COG.location, "writing")]

    @pytest.mark.parametrize("reserved", [False, True])
    def test_a_place_that_another_job_claims_is_not_written(self, store: EngineStore, reserved: bool) -> None:
        store.submit("owner", reservations=[Location("blob", COG.location)] if reserved else [])
        store.plan(["k"])
        owner = store.claim_one()
        if not reserved:
            store.effects.begin_artifact(owner, COG)
        [late] = store.start(name="late")

        assert store.effects.begin_artifact(late, COG) == WriteIntent(owner=id_of("owner"))
        assert _states(store, "late") == []

    def test_a_place_where_another_job_is_live_is_not_written_if_only_the_handler_knew_it(
        self, store: EngineStore
    ) -> None:
        _published(store, "owner", "etag")
        [late] = store.start(name="late")

        assert store.effects.begin_artifact(late, COG) == WriteIntent(owner=id_of("owner"))
        assert _states(store, "late") == []

    def test_a_place_that_is_to_be_replaced_is_written_beside_what_is_live(self, store: EngineStore) -> None:
        _published(store, "owner", "old")
        store.submit("late", reservations=[Location("blob", COG.location)], replace=True)
        store.plan(["k"])
        late = store.claim_one()

        first = store.effects.begin_artifact(late, COG)
        again = store.effects.begin_artifact(late, COG)

        assert first == again == WriteIntent(live_etag="old")
        live = store.effects.live_artifact("blob", COG.location)
        assert live is not None
        assert (live.job_id, live.state) == (id_of("owner"), "live")

    def test_publishing_makes_everything_live_at_once(self, store: EngineStore) -> None:
        store.submit(reservations=[ITEM, Location("blob", COG.location)])
        store.plan(["k"])
        task = store.claim_one()
        _write(store, task, "etag")
        _write(store, task, "aside", ASIDE)

        _publish(store, task)

        assert sorted(_states(store)) == [
            ("rasters/a", "live"),
            ("silver/a.tif", "live"),
            ("temp/a.tif", "writing"),
        ]
        live = store.effects.live_artifact("blob", COG.location)
        assert live is not None
        assert (live.job_id, live.etag) == (id_of("a"), "etag")
        assert store.job().cleanup == "pending"

    def test_what_was_reserved_and_never_written_is_not_published(self, store: EngineStore) -> None:
        store.submit(reservations=[Location("blob", COG.location)])
        store.plan(["k"])

        _publish(store, store.claim_one())

        assert _states(store) == [(COG.location, "released")]
        assert store.effects.live_artifact("blob", COG.location) is None

    def test_an_owner_that_is_replaced_is_superseded(self, store: EngineStore) -> None:
        _published(store, "former", "old")
        _published(store, "later", "new", replace=True)

        live = store.effects.live_artifact("blob", COG.location)
        assert live is not None
        assert (live.job_id, live.etag) == (id_of("later"), "new")
        assert _states(store, "former") == [(COG.location, "deleted")]
        assert store.job("former").superseded_by == id_of("later")
        assert store.job("later").superseded_by is None

    def test_a_job_does_not_supersede_itself(self, store: EngineStore) -> None:
        _published(store, "a", "old")
        _published(store, "a", "new", rerun=True, seen_revision=1)

        live = store.effects.live_artifact("blob", COG.location)
        assert live is not None
        assert (live.revision, live.etag) == (2, "new")
        assert store.job().superseded_by is None

    def test_a_publication_under_a_lost_fence_leaves_the_owner_as_it_was(self, store: EngineStore) -> None:
        _published(store, "former", "old")
        store.submit("later", reservations=[Location("blob", COG.location)], replace=True)
        store.plan(["k"])
        late = store.claim_one()
        _write(store, late, "new")
        _overtake(store, late)

        with pytest.raises(FenceLost):
            _publish(store, late)

        live = store.effects.live_artifact("blob", COG.location)
        assert live is not None
        assert live.job_id == id_of("former")
        assert store.job("former").superseded_by is None

    def test_the_clean_up_of_a_failed_rerun_finds_the_good_result_live(self, store: EngineStore) -> None:
        _published(store, "a", "good")
        store.submit("a", reservations=[Location("blob", COG.location)], rerun=True, seen_revision=1)
        store.plan(["k"])
        task = store.claim_one()
        _write(store, task, "bad")
        store.end(task, Outcome.FAILED)
        clean_up = store.claim_one()
        [record] = store.effects.artifacts(id_of("a"), 2)

        store.effects.close_artifact(clean_up, record, "released")
        store.end(clean_up)

        live = store.effects.live_artifact("blob", COG.location)
        assert clean_up.kind == "cleanup"
        assert live is not None
        assert (live.revision, live.etag) == (1, "good")
        assert _states(store, revision=2) == [(COG.location, "released")]
        assert store.job().cleanup == "done"

    def test_the_clean_up_of_a_failed_rerun_records_what_the_rerun_left_in_the_live_place(
        self, store: EngineStore
    ) -> None:
        _published(store, "a", "good")
        store.submit("a", reservations=[Location("blob", COG.location)], rerun=True, seen_revision=1)
        store.plan(["k"])
        store.end(store.claim_one(), Outcome.FAILED)
        store.submit("b")
        task = store.claim_one()
        live = store.effects.live_artifact("blob", COG.location)
        assert live is not None

        store.effects.correct_live(task, live, "there", 7)
        store.effects.correct_live(task, live, "too late", 8)

        corrected = store.effects.live_artifact("blob", COG.location)
        assert corrected is not None
        assert (corrected.revision, corrected.etag, corrected.nbytes, corrected.checksum) == (
            1,
            "there",
            7,
            None,
        )

    def test_a_failed_job_that_wrote_is_cleaned_up(self, store: EngineStore) -> None:
        [task] = store.start()
        store.effects.begin_artifact(task, COG)

        store.end(task, Outcome.FAILED)

        assert store.job().cleanup == "pending"
        assert _states(store) == [(COG.location, "writing")]

    @pytest.mark.parametrize("state", ["deleted", "released"])
    def test_what_is_closed_is_free_for_others(self, store: EngineStore, state: str) -> None:
        [task] = store.start()
        store.effects.begin_artifact(task, COG)
        [record] = store.effects.artifacts(id_of("a"), 1)

        store.effects.close_artifact(task, record, state)

        assert _states(store) == [(COG.location, state)]
        assert store.submit("other", reservations=[Location("blob", COG.location)]).answer == "created"

    def test_what_is_live_is_not_closed(self, store: EngineStore) -> None:
        store.submit(reservations=[Location("blob", COG.location)])
        store.plan(keys(2))
        first, second = store.claim()
        _write(store, first, "etag")
        _publish(store, first)
        [record] = store.effects.artifacts(id_of("a"), 1)

        store.effects.close_artifact(second, record, "deleted")

        assert _states(store) == [(COG.location, "live")]

    def test_a_write_whose_clean_up_failed_passes_to_the_next_revision(self, store: EngineStore) -> None:
        store.submit(reservations=[Location("blob", COG.location)])
        store.plan(["k"])
        task = store.claim_one()
        _write(store, task, "left")
        store.end(task, Outcome.FAILED)
        store.end(store.claim_one(), Outcome.FAILED)

        store.submit(reservations=[Location("blob", COG.location)])
        store.plan(["k"])

        assert store.effects.begin_artifact(store.claim_one(), COG) == WriteIntent(etag="left")
        assert _states(store, revision=1) == []
        assert _states(store, revision=2) == [(COG.location, "writing")]
