"""What holds for blobs in every store."""

import re
from dataclasses import dataclass
from datetime import datetime

from core import codes
from core.errors import InvalidInput
from core.ports.blobs import BlobProperties, BlobRef

# Sources lie in containers of this name, whether or not the settings know them.
_BRONZE = "bronze"

# Azure's rule for containers, with the names that the platform itself makes ($web, $logs, $root).
_CONTAINER = re.compile(r"\$?[a-z0-9](?:-?[a-z0-9]){1,62}", re.ASCII)


@dataclass(frozen=True)
class StagedBlocks:
    """Blocks that a store holds and nobody sees until they are committed.

    Args:
        ref: The blob that they may become.
        block_ids: Their ids in order.
        nbytes: Their size together.
    """

    ref: BlobRef
    block_ids: tuple[str, ...]
    nbytes: int


def is_container_name(name: str) -> bool:
    """Return whether a container could have this name."""
    return 3 <= len(name) <= 63 and _CONTAINER.fullmatch(name) is not None


def check_deletable(container: str, prefix: str, bronze: frozenset[str]) -> None:
    """Refuse a deletion by prefix that could take sources, or far more than was meant.

    Raises:
        InvalidInput: ``storage.prefix_refused``.
    """
    if container in bronze or container.startswith(_BRONZE):
        raise InvalidInput(
            codes.STORAGE_PREFIX_REFUSED, f"{container} holds sources, which are never deleted", prefix=prefix
        )
    if len([segment for segment in prefix.split("/") if segment]) < 2:
        raise InvalidInput(
            codes.STORAGE_PREFIX_REFUSED,
            f"{prefix!r} has fewer than two path segments; {container} keeps its blobs",
            prefix=prefix,
        )


def was_modified_before(blob: BlobProperties, instant: datetime | None) -> bool:
    """Return whether a blob is surely older than an instant; without one it counts as older.

    Stores keep whole seconds, so what was written later in the instant's own second is not older.
    """
    return instant is None or blob.last_modified < instant.replace(microsecond=0)
