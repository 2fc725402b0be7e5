"""Events as the handlers get them: that what an event is about is there, proton's own types do not say."""

from typing import Protocol

from proton import Connection, Delivery, Receiver, Sender, Session


class ConnectionEvent(Protocol):
    """An event of a connection."""

    connection: Connection


class SessionEvent(Protocol):
    """An event of a session."""

    session: Session


class LinkEvent(Protocol):
    """An event of a link."""

    link: Sender | Receiver


class DeliveryEvent(Protocol):
    """An event of a delivery."""

    delivery: Delivery
