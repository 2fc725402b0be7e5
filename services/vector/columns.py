"""Names of columns: one predictable rule, and the name that the file has kept beside it."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from core.sql_words import RESERVED_WORDS

_LONGEST: Final = 63
_UNNAMED: Final = "unnamed_column"
# Columns that the table or a chunk has of its own.
_OURS: Final = frozenset({"id", "geom", "source_fid", "etl_batch_id"})
# Columns that every PostgreSQL table has.
_SYSTEM: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
# A letter and what it becomes, for what Unicode does not take apart into a letter and a mark.
_PAIRS: Final = """
    ß ss æ ae œ oe ø o đ d ð d þ th ł l ħ h \u0131 i
    α a β b γ g δ d ε e ζ z η i θ th ι i κ k λ l μ m ν n ξ x ο o π p ρ r σ s ς s τ t υ y φ f χ ch ψ ps ω o
    а a б b в v г g д d е e ж zh з z и i й y к k л l м m н n о o п p р r с s т t у u ф f х kh ц ts ч ch
    ш sh щ shch ъ - ы y ь - э e ю yu я ya ё yo є ye і i ї yi ґ g
"""  # noqa: RUF001 - letters of three alphabets
_LETTERS: Final = {
    ord(letter): "" if latin == "-" else latin
    for letter, latin in zip(_PAIRS.split()[::2], _PAIRS.split()[1::2], strict=True)
}


def sanitised_names(source_names: Sequence[str]) -> list[str]:
    """Return a name for every column, in order, each different and usable without quotes.

    Lower case; letters of other alphabets transliterated; anything else that is no letter, digit or
    underscore becomes one underscore; a leading digit gets ``col_``, a key word ``f_``, a name of the
    table's own columns ``src_``; 63 bytes at most. The first of several equal names keeps it, the
    others get ``_2``, ``_3`` and so on; a column whose name is one of those already keeps its own.
    """
    wanted = [sanitised_name(name) for name in source_names]
    taken: set[str] = set()
    names: list[str] = []
    for name in wanted:
        unique = name if name not in taken else _numbered(name, taken | set(wanted))
        taken.add(unique)
        names.append(unique)
    return names


def sanitised_name(source_name: str) -> str:
    """Return the name of a column that has no namesake."""
    name = re.sub(r"[^a-z0-9_]+", "_", _ascii(source_name))
    name = re.sub(r"_+", "_", name).strip("_")
    if not name:
        return _UNNAMED
    if name[0].isdigit():
        name = f"col_{name}"
    if name in _OURS:
        name = f"src_{name}"
    elif name in RESERVED_WORDS or name in _SYSTEM:
        name = f"f_{name}"
    return name[:_LONGEST].rstrip("_")


def _numbered(name: str, taken: Iterable[str]) -> str:
    others = set(taken)
    number = 2
    while True:
        suffix = f"_{number}"
        candidate = name[: _LONGEST - len(suffix)] + suffix
        if candidate not in others:
            return candidate
        number += 1


def _ascii(text: str) -> str:
    """Transliterate to ASCII; what has no transliteration becomes its code point in hex."""
    lowered = unicodedata.normalize("NFC", text).lower().translate(_LETTERS)
    return "".join(_base_letter(each) for each in unicodedata.normalize("NFKD", lowered).lower())


def _base_letter(character: str) -> str:
    if character.isascii() or unicodedata.combining(character):
        return character if character.isascii() else ""
    known = character.translate(_LETTERS)
    if known.isascii():
        return known
    return f"_u{ord(character):04x}_" if character.isalpha() else "_"
