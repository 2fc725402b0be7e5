"""Directories of tasks, and what a killed worker leaves."""

import subprocess
import sys
from pathlib import Path

from core.workspaces import make_workspace

_DIE = """
import os, signal, sys
from pathlib import Path
from core.workspaces import make_workspace
workspace = make_workspace(Path(sys.argv[1]), "task")
(workspace.path / "big.tif").write_text("half of it")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_workspace_is_gone_when_it_was_removed(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "terrane", "task")
    (workspace.path / "a.tif").touch()

    workspace.remove()

    assert workspace.path.name.startswith("task-")
    assert list((tmp_path / "terrane").iterdir()) == []


def test_what_a_killed_worker_left_goes_when_the_next_task_begins(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _DIE, str(tmp_path)], check=False)
    [left] = tmp_path.glob("*/big.tif")

    workspace = make_workspace(tmp_path, "task")

    assert not left.exists()
    assert {path.name for path in tmp_path.iterdir()} == {workspace.path.name, f"{workspace.path.name}.lock"}
    workspace.remove()


def test_the_workspace_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    first = make_workspace(tmp_path, "task")

    second = make_workspace(tmp_path, "task")

    assert first.path.is_dir()
    assert first.path != second.path
    first.remove()
    second.remove()
