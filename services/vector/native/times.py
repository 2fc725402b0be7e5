"""Times as text, for OGR passes over the zone of times in columns that have more than one."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyogrio.raw import open_arrow

from services.findings import Findings
from services.vector.codes import VALUES_CHANGED

# OGR fills some texts up with NUL.
_ZONED: Final = r"(Z|[+-]\d{2}(:?\d{2})?)\x00*$"
WITH_ZONE: Final = pa.timestamp("us", "UTC")
WITHOUT_ZONE: Final = pa.timestamp("us")


def zoned_columns(path: Path, layer: str | None, encoding: str | None, names: Sequence[str]) -> set[str]:
    """Return the columns whose first time has a zone; `TextTimes` tells of others that differ.

    Args:
        path: What OGR opens.
        layer: Name; None for the only one.
        encoding: Of text that does not name its own.
        names: Columns of times.
    """
    first: dict[str, bool] = {}
    texts = open_arrow(
        path,
        layer=layer,
        encoding=encoding,
        columns=names,
        read_geometry=False,
        use_pyarrow=True,
        datetime_as_string=True,
    )
    with texts as (_, reader):
        for batch in reader:
            for name in names:
                zoned = _have_zone(batch.column(name)).drop_null()
                if name not in first and len(zoned):
                    first[name] = zoned[0].as_py()
            if len(first) == len(names):
                break
    return {name for name, is_zoned in first.items() if is_zoned}


class TextTimes:
    """Times of one column.

    Args:
        name: Of the column.
        kind: `WITH_ZONE` or `WITHOUT_ZONE`: what the column is to hold.
        is_utc: Whether a time that names no zone is in UTC by the format's standard.
    """

    def __init__(self, name: str, kind: pa.DataType, *, is_utc: bool) -> None:
        self._name = name
        self.kind = kind
        self._is_utc = is_utc
        self._strangers = 0
        self._unread = 0

    def parse(self, texts: pa.StringArray) -> pa.Array:
        """Return times of the column's kind; those of the other kind are counted."""
        texts = pc.utf8_rtrim(texts, "\x00")
        zoned = pc.fill_null(_have_zone(texts), False)
        nothing = pa.scalar(None, pa.string())
        instants = self._cast(pc.if_else(zoned, texts, nothing), WITH_ZONE).cast(WITHOUT_ZONE)
        others = self._cast(pc.if_else(zoned, nothing, texts), WITHOUT_ZONE)
        if self.kind == WITHOUT_ZONE:
            self._strangers += len(instants) - instants.null_count
        elif not self._is_utc:
            self._strangers += len(others) - others.null_count
        return pc.coalesce(instants, others).cast(pa.int64()).cast(self.kind)

    def report(self, findings: Findings) -> None:
        """Say what was changed."""
        if self._strangers:
            said = "have no zone and count as UTC"
            if self.kind == WITHOUT_ZONE:
                said = "have a zone and became UTC without one"
            findings.add("warning", VALUES_CHANGED, f"{self._strangers:,} values of {self._name!r} {said}")
        if self._unread:
            message = f"{self._unread:,} values of {self._name!r} are no times and became NULL"
            findings.add("warning", VALUES_CHANGED, message)

    def _cast(self, texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
        try:
            return pc.cast(texts, kind)
        except pa.ArrowInvalid:
            times = [None if text is None else _parsed(text) for text in texts.to_pylist()]
            self._unread += times.count(None) - texts.null_count
            return pa.array(times, pa.timestamp("us", kind.tz))


def _have_zone(texts: pa.StringArray) -> pa.BooleanArray:
    return pc.match_substring_regex(texts, _ZONED)


def _parsed(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment
