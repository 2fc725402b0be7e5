"""The broker: a listening socket, its clients, and one timer for all that the queues have due."""

import asyncio
import logging
from datetime import UTC, datetime

from local.servicebus.connection import ClientConnection
from local.servicebus.dispatcher import Dispatcher
from local.servicebus.errors import EntityNotFound
from local.servicebus.queue import Clock, Queue
from local.servicebus.settings import Entities

logger = logging.getLogger(__name__)

# asyncio's clock and the wall clock may drift apart, so a far deadline is looked at again after this.
_LONGEST_SLEEP = 60.0


def utc_now() -> datetime:
    """Return the time by the wall clock, which is what receivers compare lock ends with."""
    return datetime.now(UTC)


class Broker:
    """Serves the entities to any number of clients, within one event loop."""

    def __init__(self, entities: Entities, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._dispatchers: dict[str, Dispatcher] = {}
        self._connections: set[ClientConnection] = set()
        self._server: asyncio.Server | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due: datetime | None = None
        for entity in entities.queues:
            dead_letters = Queue(f"{entity.name}/$DeadLetterQueue", entity.properties, clock)
            queue = Queue(entity.name, entity.properties, clock, dead_letters)
            for each in (queue, dead_letters):
                self._dispatchers[each.name.lower()] = Dispatcher(each)

    async def listen(self, host: str, port: int) -> int:
        """Begin to accept clients; return the port, which is a free one if `port` is 0.

        Raises:
            OSError: The address cannot be had.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connect, host, port, backlog=1024)
        bound: int = self._server.sockets[0].getsockname()[1]
        logger.info(
            "broker listening", extra={"host": host, "port": bound, "entities": list(self._dispatchers)}
        )
        return bound

    async def close(self) -> None:
        """Tell every client, and stop listening."""
        if self._alarm is not None:
            self._alarm.cancel()
        for connection in list(self._connections):
            connection.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def dispatcher(self, entity: str) -> Dispatcher:
        """Return the dispatcher of a queue or sub-queue by its lower-case name.

        Raises:
            EntityNotFound: There is none of that name.
        """
        dispatcher = self._dispatchers.get(entity)
        if dispatcher is None:
            raise EntityNotFound(f"The messaging entity '{entity}' could not be found.")
        return dispatcher

    def advance(self) -> None:
        """Deliver what can be delivered, and come back when the next lock, life or waiting ends."""
        for dispatcher in self._dispatchers.values():
            dispatcher.pump()
        dues = [dispatcher.queue.next_due() for dispatcher in self._dispatchers.values()]
        self._set_alarm(min((due for due in dues if due is not None), default=None))

    def _connect(self) -> ClientConnection:
        connection = ClientConnection(self, self.advance, self._connections.discard)
        self._connections.add(connection)
        return connection

    def _set_alarm(self, due: datetime | None) -> None:
        if due == self._alarm_due:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_due, self._alarm = due, None
        if due is not None:
            delay = min(max((due - self._clock()).total_seconds(), 0.0), _LONGEST_SLEEP)
            self._alarm = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._alarm_due = None
        self.advance()
