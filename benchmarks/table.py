"""The table at the end."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A figure, and the peer's where there is one.

    Args:
        name: What was measured.
        ours: Our figure.
        unit: Its unit.
        peer: The peer's figure.
        peer_name: Who that is, with its version.
    """

    name: str
    ours: float
    unit: str
    peer: float | None = None
    peer_name: str = ""


def print_table(rows: Sequence[Row]) -> None:
    """Print every row, with the ratio ours / peer."""
    print(f"\n{'measured':52} {'ours':>12} {'peer':>12} {'ratio':>7}  unit, peer")
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:,.3f}"
        ratio = "" if row.peer is None else f"{row.ours / row.peer:.2f}"
        what = "; ".join(text for text in (row.unit, row.peer_name) if text)
        print(f"{row.name:52} {row.ours:12,.3f} {peer:>12} {ratio:>7}  {what}")
