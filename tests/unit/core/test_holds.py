"""For which claims a process beats."""

from collections.abc import Sequence

import pytest

from core import codes
from core.errors import TransientError
from core.heart import Heart
from core.models.claims import Ended, TaskEnd
from core.submission import SubmitRequest
from tests.factories.clock import ManualClock
from tests.factories.engine import LEASE, EngineStore
from tests.factories.memory_app import memory_app
from tests.factories.moods import MoodJob, do_mood


def test_a_batch_that_cannot_be_ended_is_beaten_for_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    terrane = memory_app([MoodJob], [do_mood], ManualClock())
    terrane.app.submission.submit(SubmitRequest("mood", {}))

    def refuse(ends: Sequence[TaskEnd]) -> Ended:
        raise TransientError(codes.DATABASE_REFUSED, "no longer allowed")

    monkeypatch.setattr(terrane.app.tasks, "end", refuse)
    with pytest.raises(TransientError):
        terrane.work()

    assert terrane.state.leased
    assert not terrane.app.heart.is_holding


def test_a_claim_that_another_thread_took_over_is_lost_and_the_new_one_is_kept(
    memory_store: EngineStore,
) -> None:
    heart = Heart(memory_store.tasks, LEASE)
    [first] = memory_store.start()
    old = heart.hold(first)
    memory_store.advance(2 * LEASE)
    memory_store.tasks.rescue(10)
    new = heart.hold(memory_store.claim_one())

    heart.let_go(first.task_id, first.fence)

    assert old.reason == "lost"
    assert heart.tasks == [new.task.task_id]
