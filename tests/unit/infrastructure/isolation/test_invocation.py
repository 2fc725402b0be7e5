import pytest

from infrastructure.isolation.invocation import RateLimited


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("infrastructure.isolation.invocation.time.monotonic", lambda: now[0])
    return now


def test_progress_passes_four_times_a_second(clock: list[float]) -> None:
    seen: list[float] = []
    progress = RateLimited(lambda fraction, _: seen.append(fraction))

    for step in range(100):
        clock[0] = 100 + step / 100
        progress(step / 100)

    assert seen == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(("said", "passed"), [(-1, 0), (0.5, 0.5), (7, 1), (float("nan"), 0)])
def test_progress_is_a_fraction_of_one(clock: list[float], said: float, passed: float) -> None:
    seen: list[float] = []

    RateLimited(lambda fraction, _: seen.append(fraction))(said)

    assert seen == [passed]
