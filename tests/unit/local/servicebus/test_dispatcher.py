from datetime import UTC, datetime

from proton import Message as ProtonMessage

from local.servicebus.dispatcher import Dispatcher
from local.servicebus.message import Message, parse_message
from local.servicebus.queue import Queue
from local.servicebus.settings import QueueProperties


class RecordingConsumer:
    def __init__(self, credit: int, *, locks: bool = True) -> None:
        self.credit = credit
        self.locks = locks
        self.received: list[int] = []

    @property
    def has_credit(self) -> bool:
        return self.credit > 0

    def deliver(self, message: Message) -> None:
        self.credit -= 1
        self.received.append(message.sequence_number)


def dispatcher_with(count: int) -> Dispatcher:
    queue = Queue("q", QueueProperties(), lambda: datetime(2024, 5, 1, tzinfo=UTC))
    for _ in range(count):
        queue.send(parse_message(bytes(ProtonMessage(body="x").encode())))
    return Dispatcher(queue)


def test_consumers_take_turns_while_they_have_credit() -> None:
    dispatcher = dispatcher_with(6)
    generous, modest = RecordingConsumer(10), RecordingConsumer(2)
    for consumer in (generous, modest):
        dispatcher.join(consumer)

    dispatcher.pump()

    assert (generous.received, modest.received) == ([1, 3, 5, 6], [2, 4])


def test_a_consumer_that_left_gets_nothing() -> None:
    dispatcher = dispatcher_with(1)
    gone, here = RecordingConsumer(1), RecordingConsumer(1)
    for consumer in (gone, here):
        dispatcher.join(consumer)

    dispatcher.leave(gone)
    dispatcher.pump()

    assert (gone.received, here.received) == ([], [1])


def test_receive_and_delete_leaves_nothing_behind() -> None:
    dispatcher = dispatcher_with(2)
    dispatcher.join(RecordingConsumer(1, locks=False))

    dispatcher.pump()

    assert [message.sequence_number for message in dispatcher.queue.peek(0, 10)] == [2]
