import io
from typing import Any

from local.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def job(*stages: dict[str, Any], progress: float = 0.0, message: str | None = None) -> dict[str, Any]:
    return {"stages": list(stages), "progress": progress, "message": message}


def stage(number: int, name: str, status: str, total: int = 0, **tasks: int) -> dict[str, Any]:
    return {"number": number, "name": name, "status": status, "tasks": {"total": total, **tasks}}


def test_without_a_terminal_each_change_is_one_line() -> None:
    output = io.StringIO()
    progress = Progress(output)
    waiting = stage(2, "create_cog", "pending")

    progress.show(job(stage(1, "validate", "processing", 1, processing=1), waiting))
    progress.show(job(stage(1, "validate", "processing", 1, processing=1), waiting))
    progress.show(job(stage(1, "validate", "completed", 1, completed=1), waiting))

    assert output.getvalue().splitlines() == [
        "  validate: processing, 0 of 1 tasks",
        "  create_cog: pending, 0 of 0 tasks",
        "  validate: completed, 1 of 1 tasks",
    ]


def test_on_a_terminal_the_bars_are_drawn_over() -> None:
    output = Terminal()
    progress = Progress(output)

    progress.show(job(stage(1, "greeting", "processing", 4, completed=1, failed=1)))
    progress.show(job(stage(1, "greeting", "completed", 4, completed=3, failed=1)))

    first, second = output.getvalue().split("\x1b[1A")
    assert "[" + "#" * 15 + "." * 15 + "]" in first
    assert "2 of 4" in first
    assert "[" + "#" * 30 + "]" in second


def test_the_bar_of_a_single_task_follows_its_own_progress() -> None:
    output = Terminal()

    stages = (stage(1, "validate", "completed", 1, completed=1), stage(2, "create_cog", "processing", 1))
    Progress(output).show(job(*stages, progress=0.75, message="writing"))

    line = output.getvalue().splitlines()[1]
    assert "[" + "#" * 15 + "." * 15 + "]" in line
    assert line.endswith("processing  writing")


def test_a_completed_stage_without_tasks_is_full() -> None:
    output = Terminal()

    Progress(output).show(job(stage(1, "reply", "completed")))

    assert "[" + "#" * 30 + "]" in output.getvalue()
