from tests.chaos.faults import KINDS
from tests.chaos.schedule import schedule


def test_every_kind_fires_once_before_any_fires_again() -> None:
    for seed in range(50):
        kinds = [fault.kind for fault in schedule(tuple(KINDS), 120, seed)]

        assert len(kinds) >= len(KINDS)
        assert sorted(kinds[: len(KINDS)]) == sorted(KINDS)


def test_a_seed_gives_the_same_schedule_again() -> None:
    assert schedule(tuple(KINDS), 120, 7) == schedule(tuple(KINDS), 120, 7)
    assert schedule(tuple(KINDS), 120, 7) != schedule(tuple(KINDS), 120, 8)
