"""Checksums as STAC's file extension has them.

Source:
    STAC file extension v2.1.0, `file:checksum`; the multihash specification.
"""

import hashlib
from io import BufferedReader
from pathlib import Path
from typing import Final

# The number of SHA-256 among multihashes, and the length of its digests in bytes.
_SHA256: Final = "1220"


def multihash(path: Path) -> str:
    """Return the SHA-256 of a file as a multihash in hex, reading it in parts."""
    with path.open("rb") as file:
        return multihash_of(file)


def multihash_of(file: BufferedReader) -> str:
    """Return the same of what is left of an open file."""
    return _SHA256 + hashlib.file_digest(file, "sha256").hexdigest()
