from datetime import UTC, datetime, timedelta

import pytest
from proton import Message as ProtonMessage

from local.servicebus.errors import MessageLockLost, MessageNotFound
from local.servicebus.message import Content, Message, MessageState, parse_message
from local.servicebus.queue import Queue
from local.servicebus.settings import QueueProperties

SECOND = timedelta(seconds=1)


class ManualClock:
    def __init__(self) -> None:
        self.now = datetime(2024, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, duration: timedelta) -> None:
        self.now += duration


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Pair:
    """A queue with its dead letters."""

    def __init__(self, clock: ManualClock, **properties: object) -> None:
        settings = QueueProperties.model_validate({"lock_duration": timedelta(minutes=1), **properties})
        self.dead = Queue("q/$DeadLetterQueue", settings, clock)
        self.live = Queue("q", settings, clock, self.dead)


def content(
    body: str = "body", *, ttl: timedelta | None = None, scheduled_for: datetime | None = None
) -> Content:
    parsed = parse_message(bytes(ProtonMessage(body=body).encode()))
    return Content(parsed.header, parsed.annotations, parsed.rest, ttl, scheduled_for)


def locked(queue: Queue) -> tuple[Message, bytes]:
    message = queue.receive(lock=True)
    assert message is not None
    assert message.lock_token is not None
    return message, message.lock_token


def application_properties(message: Message) -> dict[str, object]:
    decoded = ProtonMessage()
    decoded.decode(message.encode())
    return dict(decoded.properties or {})


def test_messages_come_in_the_order_in_which_they_were_sent(clock: ManualClock) -> None:
    queue = Pair(clock).live
    sent = [queue.send(content()) for _ in range(3)]

    received = [locked(queue)[0].sequence_number for _ in range(3)]

    assert received == sent
    assert queue.receive(lock=True) is None


def test_a_completed_message_is_gone(clock: ManualClock) -> None:
    queue = Pair(clock).live
    queue.send(content())

    queue.complete(locked(queue)[1])

    assert queue.peek(0, 10) == []


def test_a_message_is_settled_once(clock: ManualClock) -> None:
    queue = Pair(clock).live
    queue.send(content())
    _, token = locked(queue)

    queue.complete(token)

    with pytest.raises(MessageLockLost):
        queue.complete(token)


def test_an_abandoned_message_keeps_its_place_and_counts(clock: ManualClock) -> None:
    queue = Pair(clock).live
    first = queue.send(content())
    queue.send(content())

    queue.abandon(locked(queue)[1], {"tries": 2})

    again, _ = locked(queue)
    assert (again.sequence_number, again.delivery_count) == (first, 1)
    assert application_properties(again) == {"tries": 2}


def test_a_released_message_does_not_count(clock: ManualClock) -> None:
    queue = Pair(clock).live
    queue.send(content())

    queue.release(locked(queue)[1])

    assert locked(queue)[0].delivery_count == 0


def test_the_last_delivery_ends_among_the_dead_letters(clock: ManualClock) -> None:
    pair = Pair(clock, max_delivery_count=2)
    number = pair.live.send(content())

    for _ in range(2):
        pair.live.abandon(locked(pair.live)[1])

    assert pair.live.receive(lock=True) is None
    dead, _ = locked(pair.dead)
    assert (dead.sequence_number, dead.delivery_count) == (number, 2)
    assert application_properties(dead)["DeadLetterReason"] == "MaxDeliveryCountExceeded"


def test_a_lock_ends_by_itself_and_counts(clock: ManualClock) -> None:
    queue = Pair(clock, lock_duration=10 * SECOND).live
    queue.send(content())
    _, token = locked(queue)

    clock.advance(10 * SECOND)

    with pytest.raises(MessageLockLost):
        queue.complete(token)
    assert locked(queue)[0].delivery_count == 1


def test_a_renewed_lock_holds_from_the_renewal(clock: ManualClock) -> None:
    queue = Pair(clock, lock_duration=10 * SECOND).live
    queue.send(content())
    _, token = locked(queue)
    clock.advance(9 * SECOND)

    end = queue.renew(token)
    clock.advance(9 * SECOND)

    assert end == clock.now + SECOND
    assert queue.next_due() == end
    queue.complete(token)


def test_a_dead_letter_says_why_and_outlives_its_time(clock: ManualClock) -> None:
    pair = Pair(clock, max_delivery_count=1)
    pair.live.send(content(ttl=SECOND))
    pair.live.dead_letter(locked(pair.live)[1], {"DeadLetterReason": "bad"})

    clock.advance(timedelta(days=30))
    for _ in range(3):
        pair.dead.abandon(locked(pair.dead)[1])

    dead, _ = locked(pair.dead)
    assert application_properties(dead) == {"DeadLetterReason": "bad"}


def test_a_dead_letter_that_is_dead_lettered_stays_where_it_is(clock: ManualClock) -> None:
    pair = Pair(clock)
    number = pair.live.send(content())
    pair.live.dead_letter(locked(pair.live)[1])

    pair.dead.dead_letter(locked(pair.dead)[1], {"DeadLetterReason": "still"})

    assert locked(pair.dead)[0].sequence_number == number


def test_a_deferred_message_comes_only_by_its_number(clock: ManualClock) -> None:
    queue = Pair(clock).live
    number = queue.send(content())
    queue.defer(locked(queue)[1])

    assert queue.receive(lock=True) is None
    [message] = queue.receive_deferred([number], lock=True)
    assert message.lock_token is not None
    queue.abandon(message.lock_token)

    assert queue.receive(lock=True) is None
    assert queue.receive_deferred([number], lock=False) == [message]
    assert queue.peek(0, 10) == []


def test_deferred_messages_come_all_or_none(clock: ManualClock) -> None:
    queue = Pair(clock).live
    number = queue.send(content())
    queue.defer(locked(queue)[1])

    with pytest.raises(MessageNotFound):
        queue.receive_deferred([number, number + 1], lock=True)

    assert len(queue.receive_deferred([number], lock=True)) == 1


def test_a_scheduled_message_waits_and_then_takes_its_place(clock: ManualClock) -> None:
    queue = Pair(clock).live
    scheduled = queue.send(content(scheduled_for=clock.now + 5 * SECOND))
    queue.send(content())

    assert queue.next_due() == clock.now + 5 * SECOND
    clock.advance(5 * SECOND)

    assert [locked(queue)[0].sequence_number for _ in range(2)] == [scheduled + 1, scheduled + 2]


def test_a_scheduled_message_lives_from_its_time(clock: ManualClock) -> None:
    queue = Pair(clock).live
    queue.send(content(ttl=SECOND, scheduled_for=clock.now + 5 * SECOND))

    clock.advance(5.5 * SECOND)

    assert queue.receive(lock=False) is not None


def test_a_scheduled_message_can_be_cancelled_until_its_time(clock: ManualClock) -> None:
    queue = Pair(clock).live
    numbers = [queue.send(content(scheduled_for=clock.now + due * SECOND)) for due in (5, 9)]

    queue.cancel_scheduled(numbers[:1])
    clock.advance(9 * SECOND)

    with pytest.raises(MessageNotFound):
        queue.cancel_scheduled(numbers[1:])
    assert len(queue.peek(0, 10)) == 1


def test_an_expired_message_is_dropped(clock: ManualClock) -> None:
    pair = Pair(clock)
    pair.live.send(content(ttl=SECOND))

    clock.advance(SECOND)

    assert pair.live.peek(0, 10) == []
    assert pair.dead.peek(0, 10) == []


def test_an_expired_message_is_dead_lettered_where_the_entity_says_so(clock: ManualClock) -> None:
    pair = Pair(clock, dead_lettering_on_message_expiration=True)
    pair.live.send(content(ttl=SECOND))

    clock.advance(SECOND)
    pair.live.advance()

    assert application_properties(locked(pair.dead)[0])["DeadLetterReason"] == "TTLExpiredException"


def test_the_shorter_life_counts(clock: ManualClock) -> None:
    queue = Pair(clock, default_message_time_to_live=10 * SECOND).live
    for ttl in (None, 5 * SECOND, 20 * SECOND):
        queue.send(content(ttl=ttl))

    alive = []
    for _ in range(2):
        clock.advance(5 * SECOND)
        alive.append(len(queue.peek(0, 10)))

    assert alive == [2, 0]


def test_a_locked_message_expires_when_it_is_given_back(clock: ManualClock) -> None:
    queue = Pair(clock, lock_duration=60 * SECOND).live
    queue.send(content(ttl=SECOND))
    _, token = locked(queue)
    clock.advance(30 * SECOND)

    before = len(queue.peek(0, 10))
    queue.abandon(token)

    assert (before, len(queue.peek(0, 10))) == (1, 0)


def test_a_life_beyond_the_calendar_is_for_ever(clock: ManualClock) -> None:
    queue = Pair(clock, default_message_time_to_live=timedelta(days=10_675_199)).live

    queue.send(content())

    assert queue.next_due() is None


def test_peek_shows_every_state_from_a_number_on(clock: ManualClock) -> None:
    queue = Pair(clock).live
    numbers = [queue.send(content()) for _ in range(3)]
    queue.send(content(scheduled_for=clock.now + SECOND))
    locked(queue)
    queue.defer(locked(queue)[1])

    seen = queue.peek(numbers[1], 10)

    assert [message.state for message in seen] == [
        MessageState.DEFERRED,
        MessageState.ACTIVE,
        MessageState.SCHEDULED,
    ]
    assert [message.sequence_number for message in queue.peek(0, 2)] == numbers[:2]


def test_lock_tokens_are_sixteen_bytes_that_proton_can_read_as_text(clock: ManualClock) -> None:
    queue = Pair(clock).live
    for _ in range(50):
        queue.send(content())

    tokens = {locked(queue)[1] for _ in range(50)}

    assert len(tokens) == 50
    assert all(len(token) == 16 and token.isascii() for token in tokens)
