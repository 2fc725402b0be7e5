"""Where PostgreSQL, Node and Azurite lie on this machine.

Standard library only: the installer runs it before there is a virtual environment.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST_POSTGRES = 15
# Azurite asks for 22 and is known to run on 20; Debian 12 and Ubuntu 24.04 have 18, where it breaks.
OLDEST_NODE = 20
AZURITE_VERSION = "3.37.0"

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
# One installation serves every home of the checkout.
NPM_PREFIX = VENV / "npm"
_POSTGRES_GLOBS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
)


class Missing(Exception):
    """A program that the local system needs is not installed; the message says what to type."""


@dataclass(frozen=True)
class Postgres:
    """One installed PostgreSQL server that has PostGIS."""

    bindir: Path
    major: int


@dataclass(frozen=True)
class Node:
    """A Node executable and its npm, a script that finds Node on the PATH."""

    executable: Path
    npm: Path


def find_postgres(major: int | None = None) -> Postgres | None:
    """Return the newest server with PostGIS, or the one of a given major version."""
    found = [server for server in _postgres_servers() if major is None or server.major == major]
    return max(found, key=lambda server: server.major, default=None)


def find_node() -> Node | None:
    """Return a Node that runs Azurite: the virtual environment's own, else the one on the PATH."""
    search = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    node, npm = shutil.which("node", path=search), shutil.which("npm", path=search)
    if not node or not npm or _version([node, "--version"]) < OLDEST_NODE:
        return None
    return Node(Path(node).resolve(), Path(npm))


def find_azurite(prefix: Path = NPM_PREFIX) -> Path | None:
    """Return the script of Azurite's blob service, if its version is ours."""
    package = prefix / "node_modules" / "azurite"
    try:
        version = json.loads((package / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError):
        return None
    script = package / "dist" / "src" / "blob" / "main.js"
    return script if version == AZURITE_VERSION and script.exists() else None


def _postgres_servers() -> Iterator[Postgres]:
    candidates = {path for pattern in _POSTGRES_GLOBS for path in Path("/").glob(pattern)}
    on_path = shutil.which("postgres")
    if on_path:
        candidates.add(Path(on_path).resolve().parent)
    for bindir in sorted(candidates):
        if not (bindir / "initdb").exists() or not (bindir / "postgres").exists():
            continue
        major = _version([str(bindir / "postgres"), "--version"])
        if major >= OLDEST_POSTGRES and _has_postgis(bindir, major):
            yield Postgres(bindir, major)


def _has_postgis(bindir: Path, major: int) -> bool:
    shares = [Path(f"/usr/share/postgresql/{major}"), bindir.parent / "share"]
    config = bindir / "pg_config"
    if config.exists():
        shares.append(Path(_output([str(config), "--sharedir"]).strip()))
    return any((share / "extension" / "postgis.control").exists() for share in shares)


def _version(command: list[str]) -> int:
    match = re.search(r"(\d+)", _output(command))
    return int(match.group(1)) if match else 0


def _output(command: list[str]) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout
