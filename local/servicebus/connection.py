"""One client: the bytes of its socket to proton's engine and back, and the events that come of them."""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from proton import Collector, Connection, Endpoint, Handler, Transport

from local.servicebus.attach import Attacher, Dispatchers
from local.servicebus.errors import ShuttingDown, condition_of
from local.servicebus.events import ConnectionEvent, DeliveryEvent, LinkEvent, SessionEvent

logger = logging.getLogger(__name__)

_CONTAINER = "terrane-servicebus-emulator"
_MAX_FRAME_SIZE = 64 * 1024
# Bytes that a session takes in before its messages are read: large batches of several links at once.
_SESSION_CAPACITY = 16 * 1024 * 1024


class ClientConnection(asyncio.Protocol):
    """A connection of a client, from accepting the socket to its end.

    Args:
        advance: Called when the client has said something: queues may have changed.
        on_lost: Called once, at the end.
    """

    def __init__(
        self,
        dispatchers: Dispatchers,
        advance: Callable[[], None],
        on_lost: Callable[["ClientConnection"], None],
    ) -> None:
        self._advance = advance
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._collector = Collector()
        self._connection = Connection()
        self._connection.collect(self._collector)
        self._engine = Transport(Transport.SERVER)
        self._engine.max_frame_size = _MAX_FRAME_SIZE
        self._engine.bind(self._connection)
        self._attacher = Attacher(dispatchers, self._wake)
        self._events = Endpoints(self._attacher)
        self._socket: asyncio.Transport | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._is_flush_due = False
        self._is_blocked = False

    def close(self) -> None:
        """End the connection from our side, so that the client knows that it must connect again."""
        self._connection.condition = condition_of(ShuttingDown("the emulator is shutting down"))
        self._connection.close()
        self._flush()
        if self._socket is not None:
            self._socket.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._socket = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed the engine, and do what its events ask for."""
        while data and (capacity := self._engine.capacity()) > 0:
            self._engine.push(data[:capacity])
            data = data[capacity:]
            self._handle_events()
        self._advance()
        self._wake()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the client; what it had locked stays locked until the locks end, as in the real service."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self._attacher.detach_all()
        self._socket = None
        self._engine.unbind()
        self._connection.free()
        self._collector.release()
        self._on_lost(self)

    def pause_writing(self) -> None:
        """Leave output in the engine while the client does not read."""
        self._is_blocked = True

    def resume_writing(self) -> None:
        """Go on with the output."""
        self._is_blocked = False
        self._wake()

    def _wake(self) -> None:
        """Send what the engine has, once this turn of the event loop is over."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _handle_events(self) -> None:
        while (event := self._collector.peek()) is not None:
            event.dispatch(self._events)
            self._collector.pop()

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._socket is None or self._is_blocked:
            return
        self._handle_events()
        while (pending := self._engine.pending()) > 0:
            self._socket.write(self._engine.peek(pending) or b"")
            self._engine.pop(pending)
        if pending < 0:
            self._socket.close()
        elif self._heartbeat is None and self._engine.remote_idle_timeout:
            self._beat()

    def _beat(self) -> None:
        """Send an empty frame when the client would otherwise think that we are dead."""
        deadline = self._engine.tick(self._loop.time())
        self._heartbeat = self._loop.call_at(deadline, self._beat)
        self._wake()


class Endpoints(Handler):
    """The events of the connection, its sessions and its links."""

    def __init__(self, attacher: Attacher) -> None:
        super().__init__()
        self._attacher = attacher

    def on_connection_remote_open(self, event: ConnectionEvent) -> None:
        """Answer the opening."""
        connection = event.connection
        connection.container = _CONTAINER
        connection.open()
        logger.debug("client connected", extra={"container": connection.remote_container})

    def on_connection_remote_close(self, event: ConnectionEvent) -> None:
        """Answer the closing."""
        self._attacher.detach_all()
        event.connection.close()

    def on_session_remote_open(self, event: SessionEvent) -> None:
        """Answer the beginning."""
        event.session.incoming_capacity = _SESSION_CAPACITY
        event.session.open()

    def on_session_remote_close(self, event: SessionEvent) -> None:
        """Answer the end, which is that of its links too."""
        self._attacher.detach_session(event.session)
        event.session.close()
        event.session.free()

    def on_link_remote_open(self, event: LinkEvent) -> None:
        """Attach the link, or refuse it."""
        if event.link.state & Endpoint.LOCAL_UNINIT:
            self._attacher.attach(event.link)

    def on_link_flow(self, event: LinkEvent) -> None:
        """Hand the credit to the node of the link."""
        node = self._attacher.node(event.link)
        if node is not None:
            node.on_flow()

    def on_delivery(self, event: DeliveryEvent) -> None:
        """Hand the delivery to the node of its link."""
        node = self._attacher.node(event.delivery.link)
        if node is not None:
            node.on_delivery(event.delivery)

    def on_link_remote_close(self, event: LinkEvent) -> None:
        """Answer the closing."""
        self._attacher.detach(event.link)
        event.link.close()
        event.link.free()

    def on_link_remote_detach(self, event: LinkEvent) -> None:
        """Close a link that the client detaches: nothing of it is kept for a resumption."""
        self.on_link_remote_close(event)
