"""Which blob names can be used at all, whoever stores them."""

import unicodedata

from core import codes
from core.errors import InvalidInput

#: Longest name that Azure Blob Storage takes, in characters.
MAX_LENGTH = 1024

# Control characters, and halves of surrogate pairs, which UTF-8 cannot hold.
_UNUSABLE_CATEGORIES = ("Cc", "Cs")
# The two characters of the basic plane that XML, and so a listing of blobs, cannot hold.
_NOT_IN_XML = ("\ufffe", "\uffff")


def normalised_blob_name(name: str) -> str:
    """Return a name that addresses one blob and nothing else.

    HTTP clients resolve ``.`` and ``..`` before they send a path, so such a segment would name a
    blob of another folder or container. Unicode is left as it is, since a store compares bytes.

    Raises:
        InvalidInput: ``blob.name_invalid``; the message quotes the name and says what is wrong.
    """
    reason = _reason_against(name)
    if reason:
        raise InvalidInput(codes.BLOB_NAME_INVALID, f"{_quoted(name)} is no blob name: {reason}", name=name)
    return name


def _reason_against(name: str) -> str:
    faults = {
        "it is empty": not name,
        f"it has {len(name)} characters, more than {MAX_LENGTH}": len(name) > MAX_LENGTH,
        "it starts with a slash": name.startswith("/"),
        "it holds a backslash": "\\" in name,
        "it holds a segment . or ..": any(segment in (".", "..") for segment in name.split("/")),
        "it holds a control character": any(_is_unusable(character) for character in name),
    }
    return next((reason for reason, found in faults.items() if found), "")


def _is_unusable(character: str) -> bool:
    return unicodedata.category(character) in _UNUSABLE_CATEGORIES or character in _NOT_IN_XML


def _quoted(name: str) -> str:
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    return ascii(shown) if not shown.isprintable() else repr(shown)
