"""The addresses that clients use."""

from dataclasses import dataclass
from enum import Enum

_CBS = "$cbs"
_MANAGEMENT = "/$management"


class Kind(Enum):
    """What an address leads to."""

    CBS = "cbs"  # where clients leave their tokens
    MANAGEMENT = "management"  # requests about one entity
    MESSAGES = "messages"  # the entity


@dataclass(frozen=True)
class Address:
    """An address taken apart.

    Args:
        entity: Lower case, with the suffix of a sub-queue; empty for `$cbs`.
    """

    kind: Kind
    entity: str


def parse_address(address: str | None) -> Address:
    """Take apart `entity`, `entity/$DeadLetterQueue`, `…/$management` or `$cbs`, after a host or not."""
    path = (address or "").lower()
    if "://" in path:
        path = path.partition("://")[2].partition("/")[2]
    path = path.strip("/")
    if path == _CBS:
        return Address(Kind.CBS, "")
    if path.endswith(_MANAGEMENT):
        return Address(Kind.MANAGEMENT, path.removesuffix(_MANAGEMENT))
    return Address(Kind.MESSAGES, path)
