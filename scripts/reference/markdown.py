"""The little Markdown that the generated pages need."""

from collections.abc import Iterable, Sequence


def generated_page(title: str, introduction: str, parts: Iterable[str]) -> str:
    """Return a page that says where it comes from."""
    note = "This page is generated from the code by `make docs`; `make check` fails when it is not current."
    return "\n\n".join([f"# {title}", note, introduction, *parts]) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; bars in cells are escaped."""
    lines = [_row(header), _row(["---"] * len(header)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |"
