"""Ids of items: made of the blob's path, safe in a URL, different for different paths."""

import hashlib
import re
from typing import Final

#: What an id may be made of, given or made.
ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"

_LONGEST = 180
# A path of this form is the only one that gives its id: read back, the last hyphen is the dot and
# the others are slashes. The short extension keeps it apart from an id that ends in a digest.
_UNAMBIGUOUS = re.compile(r"[A-Za-z0-9_]+(?:/[A-Za-z0-9_]+)*\.[A-Za-z0-9_]{1,5}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def item_id(collection_id: str, blob_name: str) -> str:
    """Return ``{collection_id}-{blob_name}`` with ``/`` and ``.`` replaced by hyphens.

    Every other character that is not a letter, a digit, a hyphen or an underscore becomes a hyphen
    too. Paths that could share their id with another path (``a/b-c.tif`` and ``a-b/c.tif``), and
    those that were cut, end in a hyphen and ten digits of the path's SHA-256.
    """
    plain = f"{collection_id}-{_UNSAFE.sub('-', blob_name)}"
    if _UNAMBIGUOUS.fullmatch(blob_name) and len(plain) <= _LONGEST:
        return plain
    digest = hashlib.sha256(blob_name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{plain[:_LONGEST]}-{digest}"
