"""Nodes that answer requests: a message in on one link, its answer out on another of the same session."""

from collections.abc import Callable
from typing import Any

from proton import Delivery, Disposition, Message, Receiver, Sender, int32

from local.servicebus.address import Address, parse_address
from local.servicebus.links import Node

Answer = Callable[[Message], Message]

_CREDIT = 100


def answer_cbs(request: Message) -> Message:
    """Accept a token, whatever it is: on one machine there is nothing to protect."""
    operation = properties(request).get("operation")
    if operation != "put-token":
        return Message(properties={"status-code": int32(400), "status-description": f"unknown: {operation}"})
    return Message(properties={"status-code": int32(200), "status-description": "OK"})


def properties(message: Message) -> dict[str, Any]:
    """Return the application properties, which proton's types know only as None."""
    found: Any = message.properties
    return found or {}


class ReplyNode(Node):
    """The link over which answers of one node go out."""

    def __init__(self, link: Sender, wake: Callable[[], None], address: Address) -> None:
        super().__init__(link, wake)
        self.address = address
        self._sender = link

    def send(self, answer: Message) -> None:
        """Send an answer, settled."""
        delivery = self._sender.delivery(self._sender.delivery_tag())
        self._sender.stream(answer.encode())
        self._sender.advance()
        delivery.settle()
        self.wake()


class RequestNode(Node):
    """Reads requests, and sends each answer on the link that the request names.

    Args:
        reply_nodes: The reply nodes of the connection, as they are when a request comes.
    """

    def __init__(
        self,
        link: Receiver,
        wake: Callable[[], None],
        answer: Answer,
        reply_nodes: Callable[[], list[ReplyNode]],
    ) -> None:
        super().__init__(link, wake)
        self._receiver = link
        self._address = parse_address(link.remote_target.address)
        self._answer = answer
        self._reply_nodes = reply_nodes
        link.flow(_CREDIT)

    def on_delivery(self, delivery: Delivery) -> None:
        """Answer a request when all of it is there."""
        if delivery.partial or not delivery.readable:
            return
        request = Message()
        request.decode(self._receiver.recv(delivery.pending) or b"")
        self._receiver.advance()
        delivery.update(Disposition.ACCEPTED)
        delivery.settle()
        self._receiver.flow(1)
        reply_node = self._reply_node(request.reply_to)
        if reply_node is not None:
            answer = self._answer(request)
            answer.correlation_id = request.id
            reply_node.send(answer)

    def _reply_node(self, reply_to: str | None) -> ReplyNode | None:
        """Return the link whose target is the address to reply to, else any to this node.

        The Python SDK names no such address for tokens, and has one pair of links per node and session.
        """
        session = self._receiver.session
        nodes = [
            node
            for node in self._reply_nodes()
            if node.link.session == session and node.address == self._address
        ]
        exact = [node for node in nodes if reply_to and node.link.remote_target.address == reply_to]
        return next(iter(exact or nodes), None)
