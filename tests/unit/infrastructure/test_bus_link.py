"""A link that never holds its callers."""

from collections.abc import Callable, Iterator
from threading import Event, get_ident

import pytest

from infrastructure.bus_link import BusLink


class Handler:
    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = Event()

    def close(self) -> None:
        self.closed.set()


class Bus:
    """Opens handlers and remembers them."""

    def __init__(self) -> None:
        self.opened: list[Handler] = []
        self.down = False

    def connect(self) -> Handler:
        if self.down:
            raise OSError("down")
        self.opened.append(Handler(len(self.opened)))
        return self.opened[-1]


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def link(bus: Bus) -> Iterator[BusLink[Handler]]:
    link = BusLink("test", bus.connect, abandon_after_seconds=0)
    yield link
    link.close()
    link.wait_closed()


def failing_on(*numbers: int) -> Callable[[Handler], int]:
    def operation(handler: Handler) -> int:
        if handler.number in numbers:
            raise OSError(f"handler {handler.number} is broken")
        return handler.number

    return operation


def test_one_handler_serves_all_calls_in_one_thread(bus: Bus, link: BusLink[Handler]) -> None:
    threads = {link.call(lambda _: get_ident(), 5) for _ in range(5)}

    assert len(threads) == 1
    assert threads != {get_ident()}
    assert len(bus.opened) == 1


def test_a_handler_that_broke_since_is_replaced_within_the_call(bus: Bus, link: BusLink[Handler]) -> None:
    link.call(failing_on(), 5)

    answer = link.call(failing_on(0), 5)

    assert answer == 1
    assert bus.opened[0].closed.is_set()


def test_a_new_handler_that_fails_is_the_callers_error(bus: Bus, link: BusLink[Handler]) -> None:
    with pytest.raises(OSError, match="handler 0 is broken"):
        link.call(failing_on(0), 5)

    assert link.call(failing_on(0), 5) == 1
    assert bus.opened[0].closed.is_set()


def test_a_bus_that_is_down_is_the_callers_error_until_it_is_up(bus: Bus, link: BusLink[Handler]) -> None:
    bus.down = True
    with pytest.raises(OSError, match="down"):
        link.call(failing_on(), 5)

    bus.down = False

    assert link.call(failing_on(), 5) == 0


def test_a_call_that_hangs_is_left_and_the_next_gets_a_new_thread(bus: Bus, link: BusLink[Handler]) -> None:
    release = Event()
    with pytest.raises(TimeoutError):
        link.call(lambda _: release.wait(60), 0.05)

    answer = link.call(failing_on(), 5)

    assert answer == 1
    release.set()
    assert bus.opened[0].closed.wait(10)


def test_a_call_that_was_given_up_before_it_began_is_dropped(bus: Bus) -> None:
    patient = BusLink("test", bus.connect, abandon_after_seconds=60)
    release, begun = Event(), Event()
    with pytest.raises(TimeoutError):
        patient.call(lambda _: release.wait(60), 0.05)
    with pytest.raises(TimeoutError):
        patient.call(lambda _: begun.set(), 0.05)

    release.set()

    assert patient.call(failing_on(), 10) == 0
    assert not begun.is_set()
    patient.close()
    patient.wait_closed()


def test_a_closed_link_opens_again(bus: Bus, link: BusLink[Handler]) -> None:
    link.call(failing_on(), 5)

    link.close()
    link.wait_closed()

    assert bus.opened[0].closed.is_set()
    assert link.call(failing_on(), 5) == 1
