"""Decide what a link that a client attaches leads to."""

import logging
from collections.abc import Callable
from typing import Protocol

from proton import Link, Receiver, Sender, Terminus, symbol, ulong

from local.servicebus.address import Address, Kind, parse_address
from local.servicebus.dispatcher import Dispatcher
from local.servicebus.errors import NotSupported, ServiceBusError, condition_of
from local.servicebus.links import MAX_MESSAGE_SIZE, ConsumerNode, Node, ProducerNode
from local.servicebus.management import Management
from local.servicebus.requests import Answer, ReplyNode, RequestNode, answer_cbs

logger = logging.getLogger(__name__)

_MAX_BATCH_SIZE = symbol("com.microsoft:max-message-batch-size")
_SESSION_FILTER = "com.microsoft:session-filter"


class Dispatchers(Protocol):
    """Where the queues are."""

    def dispatcher(self, entity: str) -> Dispatcher:
        """Return the dispatcher of an entity.

        Raises:
            EntityNotFound: There is none of that name.
        """


class Attacher:
    """Attaches the links of one connection.

    Args:
        wake: Tells the connection that there is something to send.
    """

    def __init__(self, dispatchers: Dispatchers, wake: Callable[[], None]) -> None:
        self._dispatchers = dispatchers
        self._wake = wake
        self._nodes: dict[Link, Node] = {}

    def attach(self, link: Link) -> None:
        """Open our end of a link, or refuse it with the error that says why."""
        try:
            build = self._builder(link)
        except ServiceBusError as error:
            _refuse(link, error)
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode = link.remote_snd_settle_mode
        link.rcv_settle_mode = link.remote_rcv_settle_mode
        if link.is_receiver:
            link.max_message_size = MAX_MESSAGE_SIZE
            link.properties = {_MAX_BATCH_SIZE: ulong(MAX_MESSAGE_SIZE)}
        link.open()
        self._nodes[link] = build()

    def node(self, link: Link) -> Node | None:
        """Return our end of a link; None if it was refused or has ended."""
        return self._nodes.get(link)

    def detach(self, link: Link) -> None:
        """Forget a link that the client has closed."""
        node = self._nodes.pop(link, None)
        if node is not None:
            node.stop()

    def detach_all(self) -> None:
        """Forget the links of a connection that has ended."""
        for link in list(self._nodes):
            self.detach(link)

    def detach_session(self, session: object) -> None:
        """Forget the links of a session that has ended."""
        for link in [link for link in self._nodes if link.session == session]:
            self.detach(link)

    def _builder(self, link: Link) -> Callable[[], Node]:
        if isinstance(link, Receiver):
            return self._receiver(link, _address(link.remote_target))
        if isinstance(link, Sender):
            return self._sender(link, _address(link.remote_source))
        raise NotSupported("a link is a sender or a receiver")

    def _receiver(self, link: Receiver, address: Address) -> Callable[[], Node]:
        if address.kind is Kind.CBS:
            return lambda: self._requests(link, answer_cbs)
        queue = self._dispatchers.dispatcher(address.entity).queue
        if address.kind is Kind.MANAGEMENT:
            return lambda: self._requests(link, Management(queue).answer)
        return lambda: ProducerNode(link, self._wake, queue)

    def _sender(self, link: Sender, address: Address) -> Callable[[], Node]:
        if address.kind is Kind.CBS:
            return lambda: ReplyNode(link, self._wake, address)
        dispatcher = self._dispatchers.dispatcher(address.entity)
        if address.kind is Kind.MANAGEMENT:
            return lambda: ReplyNode(link, self._wake, address)
        return lambda: ConsumerNode(link, self._wake, dispatcher)

    def _requests(self, link: Receiver, answer: Answer) -> RequestNode:
        return RequestNode(link, self._wake, answer, self._reply_nodes)

    def _reply_nodes(self) -> list[ReplyNode]:
        return [node for node in self._nodes.values() if isinstance(node, ReplyNode)]


def _address(terminus: Terminus) -> Address:
    if terminus.type == Terminus.COORDINATOR:
        raise NotSupported("the emulator has no transactions")
    if terminus.type == Terminus.SOURCE and _SESSION_FILTER in _names(terminus):
        raise NotSupported("the emulator has no sessions")
    return parse_address(terminus.address)


def _names(source: Terminus) -> set[str]:
    """Return the names of the filters of a source."""
    filters = source.filter
    filters.rewind()
    found = filters.get_object() if filters.next() else None
    return {str(name) for name in found or {}}


def _refuse(link: Link, error: ServiceBusError) -> None:
    """Attach without a terminus and close at once, which is how AMQP refuses a link."""
    logger.warning("link refused", extra={"link": link.name, "reason": str(error)})
    link.source.type = link.target.type = Terminus.UNSPECIFIED
    link.open()
    link.condition = condition_of(error)
    link.close()
