"""A job's stages on the terminal: bars that move, or a line a change where nothing can move."""

from collections.abc import Mapping
from typing import Any, TextIO

_WIDTH = 30
_ENDED = ("completed", "failed", "cancelled")


class Progress:
    """Shows one job again and again.

    Args:
        output: Where to; bars are drawn only on a terminal.
    """

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._moves = output.isatty()
        self._shown: list[str] = []

    def show(self, job: Mapping[str, Any]) -> None:
        """Show the job as it is now."""
        if self._moves:
            self._redraw([_bar(stage, job) for stage in job["stages"]])
        else:
            self._append([_line(stage) for stage in job["stages"]])
        self._output.flush()

    def _redraw(self, lines: list[str]) -> None:
        if self._shown:
            self._output.write(f"\x1b[{len(self._shown)}A")
        self._output.writelines(f"\x1b[2K{line}\n" for line in lines)
        self._shown = lines

    def _append(self, lines: list[str]) -> None:
        self._output.writelines(f"{line}\n" for line in lines if line not in self._shown)
        self._shown = lines


def _line(stage: Mapping[str, Any]) -> str:
    done, total = _counts(stage)
    return f"  {stage['name']}: {stage['status']}, {done} of {total} tasks"


def _bar(stage: Mapping[str, Any], job: Mapping[str, Any]) -> str:
    done, total = _counts(stage)
    part = done / total if total else float(stage["status"] == "completed")
    if total == 1 and stage["status"] == "processing":
        # The task of a stage of one task says how far it is.
        part = min(1.0, max(0.0, float(job["progress"]) * len(job["stages"]) - (int(stage["number"]) - 1)))
    filled = round(part * _WIDTH)
    message = f"  {job.get('message') or ''}" if stage["status"] == "processing" else ""
    bar = "#" * filled + "." * (_WIDTH - filled)
    return f"  {stage['name']:<14} [{bar}] {done:>5} of {total:<5} {stage['status']}{message}"


def _counts(stage: Mapping[str, Any]) -> tuple[int, int]:
    tasks = stage.get("tasks") or {}
    return sum(int(tasks.get(name) or 0) for name in _ENDED), int(tasks.get("total") or 0)
