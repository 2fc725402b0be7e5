"""The directory that holds all data and logs of one local system."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.binaries import CHECKOUT

DEFAULT_PORT = 7071


@dataclass(frozen=True)
class Home:
    """Paths below `TERRANE_HOME`, and the small facts that are remembered there.

    Args:
        root: Absolute path of the home.
    """

    root: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """Return the home that `TERRANE_HOME` names, `.terrane` in the checkout by default."""
        return cls(Path(os.environ.get("TERRANE_HOME") or CHECKOUT / ".terrane").absolute())

    @property
    def logs(self) -> Path:
        """Return the directory with one log a process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Return the directory of ports, secrets, process records and the state."""
        return self.root / "run"

    @property
    def parts(self) -> tuple[Path, ...]:
        """Return everything that a system makes in its home."""
        servers = ("postgres", "azurite", "functions", "workspace", "npm")
        return (self.logs, self.run, *(self.root / name for name in servers))

    def log(self, name: str) -> Path:
        """Return the log of one process."""
        return self.logs / f"{name}.log"

    def create(self) -> None:
        """Make the directories that everything else expects; others may pass through, not look."""
        for directory in (self.root, self.logs, self.run):
            directory.mkdir(parents=True, exist_ok=True)
        # The servers that drop root's privileges reach their data through here.
        self.root.chmod(0o711 | self.root.stat().st_mode & 0o777)
        self.run.chmod(0o700)

    def read(self, name: str) -> dict[str, Any]:
        """Return a remembered JSON object, empty if there is none or a crash left it unreadable."""
        try:
            value = json.loads((self.run / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Remember a JSON object, whole or not at all."""
        target = self.run / f"{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(json.dumps(value, indent=1))
        partial.chmod(0o600)
        partial.replace(target)

    def secret(self, name: str) -> str:
        """Return the password of that name, made at the first call."""
        known = self.read("secrets")
        if name not in known:
            known[name] = secrets.token_urlsafe(24)
            self.write("secrets", known)
        return str(known[name])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one `up` or `down` at a time work on this home; the next one waits."""
        self.create()
        with (self.run / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
