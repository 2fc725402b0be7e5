from datetime import UTC, datetime, timedelta

from local.servicebus.agenda import Agenda

START = datetime(2024, 5, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_deadlines_come_earliest_first() -> None:
    deadlines = {1: at(3), 2: at(1), 3: at(2)}
    agenda: Agenda[int] = Agenda(deadlines.get)
    for key, due in deadlines.items():
        agenda.add(due, key)

    assert agenda.next() == at(1)
    assert list(agenda.pop_due(at(2))) == [2, 3]
    assert agenda.next() == at(3)


def test_a_deadline_that_moved_counts_where_it_is_now() -> None:
    deadlines = {1: at(1)}
    agenda: Agenda[int] = Agenda(deadlines.get)
    agenda.add(at(1), 1)

    deadlines[1] = at(5)
    agenda.add(at(5), 1)

    assert list(agenda.pop_due(at(4))) == []
    assert agenda.next() == at(5)


def test_lifted_deadlines_do_not_pile_up_behind_one_that_stays() -> None:
    deadlines = {0: at(0)}
    agenda: Agenda[int] = Agenda(deadlines.get)
    agenda.add(at(0), 0)

    for key in range(1, 20_000):
        agenda.add(at(key), key)

    assert len(agenda) < 2_000
